"""Waiting for something to become true, with a deadline; never a bare sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable

MS = 0.001
SOON_S = 20.0
"""A deadline that only a broken program misses, also on a busy machine."""


async def eventually(holds: Callable[[], object], within: float = SOON_S) -> None:
    """Return as soon as `holds()` is true; raise TimeoutError when it is not in time."""
    until = time.monotonic() + within
    while not holds():
        if time.monotonic() > until:
            message = "it did not become true in time"
            raise TimeoutError(message)
        await asyncio.sleep(2 * MS)


async def eventually_told(holds: Callable[[], Awaitable[object]], within: float = SOON_S, *, every_s: float = 2 * MS) -> None:
    """The same for what must be asked for; so often."""
    until = time.monotonic() + within
    while not await holds():
        if time.monotonic() > until:
            message = "it did not become true in time"
            raise TimeoutError(message)
        await asyncio.sleep(every_s)
