"""Tasks that last as long as a block: whatever fails in them is logged, and they go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from app.cluster.client import ERRORS
from app.cluster.outage import Outage

RETRY_S = 0.5
"""Seconds between two tries while Redis is away."""

_log = structlog.get_logger()


@asynccontextmanager
async def lasting(outage: Outage, step: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Do one step after the other while the block runs. Whenever one fails because Redis is away, it is an outage.

    One that is done is its end; a step that takes long says so by itself. At the end of the block it is cancelled, wherever it is.
    """
    task = asyncio.create_task(_go_on(outage, step), name=outage.what)
    try:
        yield
    finally:
        while not task.done():  # a client that is cancelled while it connects may forget that it was
            task.cancel()
            await asyncio.wait({task}, timeout=RETRY_S)


async def _go_on(outage: Outage, step: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await step()
        except ERRORS as error:
            outage.noticed(error)
        except Exception:
            _log.exception("step failed", what=outage.what)
        else:
            outage.is_over()
            continue
        await asyncio.sleep(RETRY_S)
