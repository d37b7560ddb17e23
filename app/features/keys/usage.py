"""Notes when keys are used, behind the requests: at most one write a minute, whatever the load."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from app.db.session import Database
from app.features.background import Rest, background
from app.features.keys import store
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable, why

WRITE_EVERY_S = 60.0

_log = structlog.get_logger()


class KeyUsage:
    """The newest use of each key that is not written down yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, datetime] = {}

    def used(self, key_id: str) -> None:
        """Note that a key was used now."""
        self._used[key_id] = utc_now()

    async def flush(self) -> None:
        """Write down what was noted. A database that is away keeps it for the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.transaction() as session:
                await store.record_used(session, used)
        except Unavailable as error:
            self._used = {**used, **self._used}
            _log.warning("last use of keys not written down yet", **why(error))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the server runs, and the rest at its end."""
        async with background("key usage", self._run):
            yield
        await self.flush()

    async def _run(self, rest: Rest) -> None:
        while True:
            await rest.sleep(WRITE_EVERY_S)
            try:
                await self.flush()
            except Exception:
                _log.exception("last use of keys not written down")
