"""Who is signed in: a cookie that nobody can guess stands for an API key, until the key or the session ends."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from app.auth.guards import Guard
from app.auth.keys import Caller, digest_of
from app.auth.scopes import ANY
from app.db.session import Database
from app.features.console_sessions import store
from app.features.console_sessions.cookies import SEAL_BYTES, Seal
from app.features.console_sessions.model import ConsoleSessionRow
from app.kernel.clock import utc_now
from app.kernel.errors import Unauthenticated

LASTS: Final = timedelta(hours=8)
"""A working day. A key that ends earlier ends its sessions with it."""
MAX_SESSIONS: Final = 20
"""Of one key: what its pages are shown is made once a second for each."""


class Session(NamedTuple):
    """A browser that is signed in."""

    id: str
    caller: Caller
    """What its key may do now."""
    ends_at: datetime


class Sessions:
    """Signs in and out. Sessions stand in the database: they hold on every node, and over restarts."""

    def __init__(self, database: Database, guard: Guard) -> None:
        self._database = database
        self._guard = guard
        self._seal: Seal

    async def open(self) -> None:
        """Have the seal that all nodes share; make it where there is none yet. Before anybody comes. Raises Unavailable."""
        async with self._database.reading() as session:
            secret = await store.seal(session)
        if secret is None:
            async with self._database.transaction() as session:
                secret = await store.ensure_seal(session, secrets.token_bytes(SEAL_BYTES))
        self._seal = Seal(secret)

    async def sign_in(self, key: str, address: str) -> tuple[str, Session]:
        """A new cookie, and the session that it stands for. Raises what REST answers to the same key from the same address."""
        key = key.strip()
        if not key:
            raise Unauthenticated("an API key is needed")
        caller = await self._guard.identify([(b"authorization", b"Bearer " + key.encode())], address, ANY)
        self._guard.count(caller).check()
        cookie = self._seal.new_cookie()
        ends_at = min(filter(None, (utc_now() + LASTS, caller.expires_at)))
        row = ConsoleSessionRow(id=_id_of(cookie), key_id=caller.key_id, key_digest=digest_of(key), ends_at=ends_at)
        async with self._database.transaction() as session:
            await store.add(session, row, MAX_SESSIONS)
        return cookie, Session(row.id, caller, ends_at)

    async def find(self, cookie: str | None) -> Session | None:
        """Who has this cookie; None: nobody who is signed in. One that is made up is not looked up. Raises Unavailable."""
        if cookie is None or not self._seal.made(cookie):
            return None
        session_id = _id_of(cookie)
        return (await self.find_all({session_id})).get(session_id)

    async def find_all(self, ids: Collection[str]) -> dict[str, Session]:
        """Those of these that are signed in still, by id. Raises Unavailable."""
        async with self._database.reading() as session:
            rows = await store.find(session, ids, utc_now())
        callers = [(row, await self._guard.holder(row.key_id, row.key_digest)) for row in rows]
        return {row.id: Session(row.id, caller, row.ends_at) for row, caller in callers if caller is not None}

    async def sign_out(self, session_id: str) -> None:
        """End it, on every node. Raises Unavailable."""
        async with self._database.transaction() as session:
            await store.remove(session, session_id)


def _id_of(cookie: str) -> str:
    return sha256(cookie.encode(errors="surrogateescape")).hexdigest()
