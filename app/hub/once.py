"""A port for what is kept for a moment and taken once, by whichever node is asked for it."""

from collections import OrderedDict
from typing import Final, Protocol

from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable

MAX_KEPT: Final = 100_000
"""Values of one process at a time: some 50 MiB. More are refused, for those that are there were promised."""


class Once(Protocol):
    """Keeps values under names that nobody can guess. Of all that ask for one, at the same time or not, one gets it."""

    async def keep(self, name: str, value: bytes, keep_s: float) -> None:
        """Keep it for so long. Raises Unavailable."""

    async def take(self, name: str) -> bytes | None:
        """Take it out. None: it is not there, or its time is over. Raises Unavailable: it may be gone then."""


class MemoryOnce:
    """The values of one process. Old ones are looked for when another one comes: no timers."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def keep(self, name: str, value: bytes, keep_s: float) -> None:
        """Keep it. All are kept for about as long: the oldest are over first."""
        now = monotonic()
        while self._kept and next(iter(self._kept.values()))[1] <= now:
            self._kept.popitem(last=False)
        if len(self._kept) >= MAX_KEPT:
            raise Unavailable("too many are waiting to be used; try again later")
        self._kept[name] = value, now + keep_s

    async def take(self, name: str) -> bytes | None:
        """Take it out."""
        value, until = self._kept.pop(name, (b"", 0.0))
        return value if monotonic() < until else None
