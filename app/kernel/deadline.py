"""One moment for many waits: what waits for the same thing, one behind the other, has one time for all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf


class Deadline:
    """When nobody waits any more. It is set once, late; who waits already is cut off by it like who begins then."""

    def __init__(self) -> None:
        self._at = inf
        self._limits: set[asyncio.Timeout] = set()

    def set(self, within_s: float) -> None:
        """It comes after so many seconds."""
        self._at = asyncio.get_running_loop().time() + within_s
        for limit in self._limits:
            ends_at = limit.when()
            if ends_at is not None and self._at < ends_at and not limit.expired():
                limit.reschedule(self._at)

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Cut the block off after so many seconds, or when the deadline comes. Raises TimeoutError."""
        async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + seconds, self._at)) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)
