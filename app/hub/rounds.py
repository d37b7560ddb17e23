"""What ends with a round of writing: the waits of publishers, and the times that publications took."""

import asyncio
from typing import NamedTuple

from app.kernel.clock import monotonic
from app.kernel.histogram import Histogram


class Timing(NamedTuple):
    """A time that is being taken."""

    since: float
    """By `monotonic`."""
    histogram: Histogram
    """Where it is counted."""


class Rounds:
    """What belongs to the round that is going on, and to the next one, which is that of whatever comes now."""

    def __init__(self) -> None:
        self._waits: list[asyncio.Future[None]] = []
        self._timings: list[Timing] = []
        self._next_waits: list[asyncio.Future[None]] = []
        self._next_timings: list[Timing] = []

    async def until_next_ends(self) -> None:
        """Return when the next round has ended. Safe to cancel."""
        written = asyncio.get_running_loop().create_future()
        self._next_waits.append(written)
        await written

    def time(self, timing: Timing) -> None:
        """Count the time until the next round ends."""
        self._next_timings.append(timing)

    def begin(self) -> None:
        """The next round begins. One that was not ended ends with it."""
        self._waits, self._next_waits = self._waits + self._next_waits, []
        self._timings, self._next_timings = self._timings + self._next_timings, []

    def end(self, *, is_last: bool) -> None:
        """It has ended. `is_last`: nothing is left for another one, also not of what came meanwhile."""
        waits, self._waits = self._waits, []
        timings, self._timings = self._timings, []
        if is_last:
            waits, self._next_waits = waits + self._next_waits, []
            timings, self._next_timings = timings + self._next_timings, []
        now = monotonic()
        for timing in timings:
            timing.histogram.observe(now - timing.since)
        for written in waits:
            if not written.done():  # or it was cancelled
                written.set_result(None)
