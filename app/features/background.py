"""Work beside requests: a task that lives as long as a block, and is ended only while it rests.

A task that is cancelled in the middle of a query may leave a database connection behind that nobody closes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

_log = structlog.get_logger()


class Rest:
    """Where a background task waits for its next work. There it is ended, and nowhere else."""

    def __init__(self) -> None:
        self._is_resting = False
        self._is_over = False

    async def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, within_s: float | None = None) -> bool:
        """Do nothing until the event is set: True; or until the time is over: False."""
        if self._is_over:
            raise asyncio.CancelledError
        self._is_resting = True
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            self._is_resting = False
        return True

    def end(self, task: asyncio.Task[None]) -> None:
        """End the task at its next rest, or now if it rests."""
        self._is_over = True
        if self._is_resting:
            task.cancel()


@asynccontextmanager
async def background(name: str, work: Callable[[Rest], Awaitable[None]]) -> AsyncIterator[None]:
    """Run `work` beside the block, and wait for its end. It loops, rests by what it is given, and catches its errors."""

    async def run() -> None:
        try:
            await work(rest)
        except Exception:
            _log.exception("background work has ended by an error", work=name)

    rest = Rest()
    task = asyncio.create_task(run(), name=name)
    try:
        yield
    finally:
        rest.end(task)
        await asyncio.gather(task, return_exceptions=True)
