"""Tasks that last as long as a block: whatever fails in them is logged, and they go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from app.cluster.client import ERRORS

RETRY_S = 0.5
"""Seconds between two tries while Redis is away."""

_log = structlog.get_logger()


@asynccontextmanager
async def lasting(what: str, step: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Do one step after the other while the block runs. That Redis is away is logged once, and that it is back.

    At the end it is cancelled, wherever it is.
    """
    task = asyncio.create_task(_go_on(what, step), name=what)
    try:
        yield
    finally:
        while not task.done():  # a client that is cancelled while it connects may forget that it was
            task.cancel()
            await asyncio.wait({task}, timeout=RETRY_S)


async def _go_on(what: str, step: Callable[[], Awaitable[object]]) -> None:
    is_away = False
    while True:
        try:
            await step()
        except ERRORS as error:
            if not is_away:
                _log.warning("Redis is away", what=what, error=str(error) or type(error).__name__)
            is_away = True
        except Exception:
            _log.exception("step failed", what=what)
        else:
            if is_away:
                _log.info("Redis is back", what=what)
            is_away = False
            continue
        await asyncio.sleep(RETRY_S)
