"""`Idempotency-Key`: what a POST is asked under, and the port of whoever carries it out once.

As draft-ietf-httpapi-idempotency-key-header-07 has it. What is refused, and stored nothing, uses no key up: it may be corrected and
asked under the same.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from app.auth.keys import Caller
from app.kernel.errors import AppError, BadRequest
from app.web.answer import Answer, Header
from app.web.front import Scope

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = (b"idempotency-replayed", b"true")
MAX_CHARS: Final = 255
"""Of a key: a UUID has 36, what names an order or a job has its place, and rows stay small."""
RETRY_S: Final = 1

_NAME: Final = HEADER.lower().encode()
_SOUND: Final = re.compile(rb"[!-~]{1,%d}" % MAX_CHARS)


class Asked(NamedTuple):
    """A request that is to be carried out once."""

    owner: str
    """The id of the API key: two keys may use the same words. Empty: `WSX_ADMIN_KEY`."""
    key: str
    fingerprint: bytes
    """SHA-256 of method, path, query and body: what makes it the same request."""


class OtherRequest(AppError):
    """The key was used for something else."""

    code, status, title = "idempotency_key_reused", 422, "This key was used for another request"


class StillRunning(AppError):
    """The first one has not been answered yet."""

    code, status, title = "still_running", 409, "The first request still runs"

    def __init__(self) -> None:
        super().__init__(f"a request with this {HEADER} still runs, or its process died less than a minute ago: ask again")
        self.headers = {"Retry-After": str(RETRY_S)}


class AnswerLost(AppError):
    """It was carried out, and nobody knows the answer any more."""

    code, status, title = "answer_lost", 409, "It was carried out; the answer is not known any more"

    def __init__(self) -> None:
        super().__init__(
            f"the request with this {HEADER} was carried out, at least in part, and its answer was not kept (the process died, the "
            "answer was very large, or it held a secret): look at what there is before you ask under another key"
        )


class Once(Protocol):
    """Carries out each request once, on whatever node, and gives its first answer again."""

    async def carry_out(self, asked: Asked, work: Callable[[], Awaitable[Answer]], *, keeps_answer: bool) -> Answer:
        """The answer of `work`, or the one that it gave before.

        Raises what `work` raises; OtherRequest, StillRunning, AnswerLost; Unavailable.

        `keeps_answer` False: the answer holds a secret, which is stored nowhere.
        """


def key_in(headers: Iterable[Header]) -> str | None:
    """The key of a request, if it has one. Raises BadRequest for one that cannot be."""
    found: bytes | None = None
    for name, value in headers:
        if name == _NAME:
            found = value if found is None else b""
    if found is None:
        return None
    if not _SOUND.fullmatch(found):
        message = f"{HEADER}: one value of 1 to {MAX_CHARS} printable ASCII characters without spaces is wanted, such as a UUID"
        raise BadRequest(message)
    return found.decode("ascii")


def asked(key: str, scope: Scope, caller: Caller, body: bytes) -> Asked:
    """What is asked under this key."""
    digest = sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body):
        digest.update(b"%d:" % len(part) + part)
    return Asked(caller.key_id, key, digest.digest())
