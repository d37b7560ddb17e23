"""What happens to thousands of sockets at once is told in stretches, with a turn of the event loop for everybody else in between.

When a proxy dies, all sockets behind it end in one turn of the loop, and what their ends bring about takes 30 µs each: 10,000 held
the loop for 300 ms.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from app.kernel.clock import monotonic
from app.serving.shared import one_per_server

MAX_HOLD_S = 0.005
"""Seconds of calls in one turn of the loop."""
MAX_READING_S = 0.002
"""Of these for sockets that say much, all together: as much as one of them may have by itself."""


class Stretches:
    """Calls in the order in which they were added; the first ones in the next turn of the loop.

    One that raises keeps none of the others.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, call: Callable[[], None]) -> None:
        """Make the call soon."""
        self._waiting.append(call)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        until = monotonic() + self._hold_s
        try:
            while self._waiting and monotonic() < until:
                self._make_first()
        finally:
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._go_on)

    def _make_first(self) -> None:
        """It leaves when it was made, so that what is added meanwhile finds that a turn comes already."""
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()


@one_per_server
def stretches_of(_config: Any) -> Stretches:
    """Those of this server, for all but reading."""
    return Stretches(MAX_HOLD_S)


@one_per_server
def reading_of(_config: Any) -> Stretches:
    """Where sockets that say much wait for their next turn: all of them together have one stretch, however many they are."""
    return Stretches(MAX_READING_S)
