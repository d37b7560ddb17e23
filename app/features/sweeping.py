"""Deleting what is too old, while the server runs: in small steps, and by one node of the cluster."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.features.background import Rest, background
from app.features.services import Services
from app.hub.lease import Owner
from app.kernel.errors import Unavailable, why

AT_ONCE = 100
"""Rows of one transaction: others that write wait for some milliseconds."""
REST_S = 0.05
"""Seconds between two transactions."""

_log = structlog.get_logger()

DeleteSome = Callable[[AsyncSession, int], Awaitable[int]]
"""Deletes at most so many; says how many."""


@asynccontextmanager
async def swept(services: Services, what: str, delete_some: DeleteSome, *, every_s: float) -> AsyncIterator[None]:
    """Sweep so often while the block runs."""

    async def sweep(rest: Rest) -> None:
        while True:
            await rest.sleep(every_s)
            try:
                if deleted := await sweep_once(rest):
                    _log.info("deleted what is too old", what=what, count=deleted)
            except Unavailable as error:
                _log.warning("swept later", what=what, **why(error))
            except Exception:
                _log.exception("could not be swept", what=what)

    async def sweep_once(rest: Rest) -> int:
        deleted = 0
        while services.lease.owner is Owner.HERE:
            deleted += (some := await step())
            if some < AT_ONCE:
                break
            await rest.sleep(REST_S)
        return deleted

    async def step() -> int:
        async with services.database.transaction() as session:
            return await delete_some(session, AT_ONCE)

    async with background(f"sweep of {what}", sweep):
        yield
