"""Writes down who connects: behind the connects, in batches, so that a thousand connects at once are one transaction.

A row that is lost in a crash is made at the user's next connect: nothing was promised to anybody.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.db.session import Database
from app.features.feature import Services
from app.features.users import store
from app.hub.connection import Connection
from app.kernel.errors import Unavailable
from app.kernel.identity import User

PAUSE_S = 0.2
"""Seconds in which connects are gathered into one transaction."""
RETRY_S = 2.0
"""Seconds between tries while the database is away."""
MAX_BATCH = 1_000
"""Users in one transaction."""

_log = structlog.get_logger()


class Recorder:
    """Holds the users who connected and are not written down yet: each once, however often they connect."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, User] = {}
        self._some = asyncio.Event()

    def connected(self, connection: Connection) -> None:
        """Note the user of a connection."""
        if connection.user is not None:
            self._waiting[connection.user.id] = connection.user
            self._some.set()

    async def run(self) -> None:
        """Write until cancelled. A database that is away is tried again; the users wait."""
        while True:
            await self._some.wait()
            await asyncio.sleep(PAUSE_S)
            try:
                await self.flush()
            except Unavailable as error:
                _log.warning("users not written down yet", error=error.detail, waiting=len(self._waiting))
                await asyncio.sleep(RETRY_S)
            except Exception:
                _log.exception("users not written down")
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write down all that wait. Raises Unavailable; then they still wait."""
        while self._waiting:
            batch = dict(list(self._waiting.items())[:MAX_BATCH])
            async with self._database.transaction() as session:
                await store.record_connected(session, batch)
            for user_id, user in batch.items():
                if self._waiting.get(user_id) is user:
                    del self._waiting[user_id]
        self._some.clear()


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Record while the server runs; write down the rest at its end."""
    recorder = Recorder(services.database)
    services.hub.on_connection(recorder.connected)
    task = asyncio.create_task(recorder.run(), name="users recorder")
    try:
        yield
    finally:
        services.hub.on_connection.remove(recorder.connected)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            await recorder.flush()
        except Unavailable as error:
            _log.warning("users not written down; each will be at the next connect", error=error.detail)
