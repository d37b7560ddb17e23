"""Who is signed in to the console: browsers, each by an API key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.features.console_sessions import store
from app.features.console_sessions.cookies import claims, new_cookie
from app.features.console_sessions.service import LASTS, Session, Sessions
from app.features.feature import Feature
from app.features.services import Services
from app.features.sweeping import swept
from app.kernel.clock import utc_now

__all__ = ["FEATURE", "LASTS", "Session", "Sessions", "claims", "new_cookie"]

SWEEP_EVERY_S: Final = 600.0


async def _remove_ended(session: AsyncSession, at_most: int) -> int:
    return await store.remove_ended(session, utc_now(), at_most)


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    """Forget those that have ended."""
    async with swept(services, "sessions of the console", _remove_ended, every_s=SWEEP_EVERY_S):
        yield


FEATURE: Final = Feature("console_sessions", running=_running)
