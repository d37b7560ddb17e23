"""Work at stored times of day: done by exactly one node of the cluster, and looked after by all.

Times are compared with the clock at least every half minute, so a clock that is set is noticed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

import structlog

from app.features.background import Rest, background
from app.hub.lease import Lease, Owner
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable, why

LONGEST_SLEEP_S = 30.0
RETRY_S = 2.0
"""Seconds between tries while the database, or what is published to, is away."""

_log = structlog.get_logger()


class Work(Protocol):
    """What is done at its times."""

    async def __call__(self, *, is_ours: bool) -> datetime | None:
        """Do what is due by now; for all nodes, if it is ours. Returns the next time at which there is something to be done."""


class Timetable:
    """Sleeps until something is to be done. Tell it by `changed()` when that may be earlier than it knows."""

    def __init__(self, what: str, lease: Lease, work: Work) -> None:
        self._what = what
        self._lease = lease
        self._work = work
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """A time was added or changed, on whatever node."""
        self._changed.set()

    @property
    def is_ours(self) -> bool:
        """Whether this node works for all. While nobody knows whose it is, all try: the work must bear that."""
        return self._lease.owner is not Owner.ELSEWHERE

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block runs."""
        self._lease.on_change(self.changed)
        try:
            async with background(self._what, self._run):
                yield
        finally:
            self._lease.on_change.remove(self.changed)

    async def _run(self, rest: Rest) -> None:
        while True:
            self._changed.clear()
            try:
                sleep_s = _seconds_to(await self._work(is_ours=self.is_ours))
            except Unavailable as error:
                _log.warning("work on time waits", what=self._what, **why(error))
                sleep_s = RETRY_S
            except Exception:
                _log.exception("work on time failed", what=self._what)
                sleep_s = RETRY_S
            await rest.wait(self._changed, sleep_s)


def _seconds_to(moment: datetime | None) -> float:
    if moment is None:
        return LONGEST_SLEEP_S
    return min(max((moment - utc_now()).total_seconds(), 0.0), LONGEST_SLEEP_S)
