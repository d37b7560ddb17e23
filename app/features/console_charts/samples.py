"""What is sampled. While nobody watches nothing is: no timer, and no memory but the ring's."""

import asyncio
import resource
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from app.hub.hub import Hub
from app.kernel.clock import monotonic

KEPT: Final = 120
"""Samples in the ring, one a second: two minutes, which is what a chart of a phone's width can show."""
STALE_S: Final = 5.0
"""Seconds without a sample, past which the ones before are forgotten: a line over a pause would be made up."""
PROBE_S: Final = 0.05
"""Seconds between two looks at how late the loop is."""

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = resource.getpagesize()
_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


class Sample(NamedTuple):
    """One second."""

    updates_per_s: float
    """Updates that were queued for pages of this node."""
    publications_per_s: float
    late_ms: float
    """By how much the loop was late at most: what every message and request had to wait at least."""
    held_bytes: int
    """Bytes that wait for pages that take nothing at the moment."""
    waiting: int
    """Broadcasts in paced queues, and pages that wait to be written to."""
    memory_bytes: int
    connections: int


class Samples:
    """The newest seconds of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._ring: deque[Sample] = deque(maxlen=KEPT)
        self._at = 0.0
        self._counted = (0, 0)
        self._worst_s = 0.0
        self._probe: asyncio.TimerHandle | None = None

    @property
    def newest(self) -> Sequence[Sample]:
        """Oldest first."""
        return tuple(self._ring)

    @property
    def node(self) -> str:
        """Of which node they are."""
        return self._hub.returning.ids.node

    @property
    def nodes(self) -> Sequence[str]:
        """All that there are."""
        return sorted(self._hub.roster.nodes)

    def take(self) -> None:
        """Take one. The first after a pause only begins to count."""
        now, counted = monotonic(), (self._hub.receipts.queued, self._hub.journal.health().entries)
        passed_s, before = now - self._at, self._counted
        self._at, self._counted = now, counted
        if self._probe is None:
            self._probe_again(now)
        worst_s, self._worst_s = self._worst_s, 0.0
        if passed_s > STALE_S:
            self._ring.clear()
            return
        self._ring.append(
            Sample(
                updates_per_s=(counted[0] - before[0]) / passed_s,
                publications_per_s=(counted[1] - before[1]) / passed_s,
                late_ms=round(worst_s * 1_000, 1),
                held_bytes=self._hub.delivery.held_bytes,
                waiting=sum(queue.counts().waiting for queue in self._hub.paced_queues) + self._hub.delivery.writing.ahead,
                memory_bytes=memory_bytes(),
                connections=len(self._hub.registry),
            )
        )

    def rest(self) -> None:
        """Nobody watches any more."""
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
        self._worst_s = 0.0

    def _probe_again(self, now: float) -> None:
        self._probe = asyncio.get_running_loop().call_later(PROBE_S, self._probed, now + PROBE_S)

    def _probed(self, due: float) -> None:
        now = monotonic()
        self._worst_s = max(self._worst_s, now - due)
        self._probe_again(now)


def memory_bytes() -> int:
    """What this process holds of the machine's memory; where the system does not say it, the most that it ever held."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
