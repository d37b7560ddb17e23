"""Knows which tokens were revoked: all of them from the start on, and what other nodes revoke, whether they can say so or not."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from app.features.background import Rest, background
from app.features.services import Services
from app.features.tokens import store
from app.hub.audience import users
from app.hub.close import Close
from app.hub.peers import RevokeTokens
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable, why

LOOK_EVERY_S: Final = 2.0
"""Seconds between two looks at what other nodes have revoked: one small query. It matters only where Redis is away."""
LOOK_BACK: Final = timedelta(minutes=10)
"""A look begins so long before the one before: a transaction may take a while to be seen, and clocks of nodes differ."""

_log = structlog.get_logger()


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Know it while the block runs. Raises Unavailable. A node that is alone hears of all by itself, and looks no more."""
    watch = _Watch(services)
    await watch.look()
    services.everywhere.answering.note_revoked = watch.note
    if not services.settings.redis_url:
        yield
        return
    async with background("revoked tokens", watch.keep_looking):
        yield


class _Watch:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._revocations = services.tokens.revocations
        self._since: datetime | None = None

    def note(self, asked: RevokeTokens) -> None:
        self._revocations.note(asked.user_id, asked.until)

    async def look(self) -> None:
        """Take up what was stored since the last look, and close the connections that it concerns."""
        began = utc_now()
        async with self._services.database.reading() as session:
            found = await store.revoked_since(session, self._since)
        self._since = began - LOOK_BACK
        self._carry_out(found)

    async def keep_looking(self, rest: Rest) -> None:
        is_away = False
        while True:
            await rest.sleep(LOOK_EVERY_S)
            try:
                await self.look()
                is_away = False
            except Unavailable as error:
                if not is_away:
                    _log.warning("revoked tokens are not looked up: those of other nodes are not known", **why(error))
                is_away = True
            except Exception:
                _log.exception("revoked tokens are not looked up")

    def _carry_out(self, found: Sequence[store.Revoked]) -> None:
        hub = self._services.hub
        for one in found:
            if not self._revocations.note(one.user_id, one.until):
                continue
            for connection in tuple(hub.registry.resolve(users(one.user_id))):
                if connection.user is not None and self._revocations.cover(connection.user):
                    hub.close(connection, Close.TOKEN_ENDED)
