"""Calls that come by the thousand in one turn of the loop are made in stretches, with a turn for everybody else in between."""

import asyncio
from collections import deque
from collections.abc import Callable

from app.kernel.clock import monotonic


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
            while self._waiting:
                self._make_first()
                if monotonic() >= until:
                    break
        finally:
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._go_on)

    def _make_first(self) -> None:
        """It leaves when it was made, so that what is added meanwhile finds that a turn comes already."""
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
