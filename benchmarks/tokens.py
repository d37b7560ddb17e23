"""Connection tokens for as many users as a load has sockets: each socket is signed in as its own user."""

import time
from pathlib import Path

import jwt

from benchmarks.scenario import Bench

TTL_S = 86_400


def tokens_for(bench: Bench, users: int, groups: int = 0, stalled: int = 0) -> Path:
    """A file with a token a line, as a site would issue them.

    With `groups`, user n has the role `gN`, N = n % groups. The last `stalled` users have the role `stalled`.
    """
    path = bench.folder / f"tokens-{users}-{groups}-{stalled}"
    if not path.exists():
        now = int(time.time())
        claims = {"iat": now, "exp": now + TTL_S, "aud": "wsx"}
        lines = []
        for number in range(users):
            roles = ([f"g{number % groups}"] if groups else []) + (["stalled"] if number >= users - stalled else [])
            user = {"sub": f"user-{number}", "name": f"User {number}", "roles": roles}
            lines.append(jwt.encode(user | claims, bench.secret, algorithm="HS256"))
        path.write_text("\n".join(lines) + "\n")
    return path
