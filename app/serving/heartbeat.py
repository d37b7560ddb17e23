"""One timer for all sockets: each is looked at and pinged once per interval, a slot of them at a time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from app.kernel.clock import monotonic
from app.kernel.stretches import Stretches
from app.serving.shared import one_per_server
from app.serving.stretches import stretches_of

SLOTS = 100
"""Parts of an interval. Ten thousand sockets are pinged a hundred at a time: 3 ms each time, not 250 ms at once."""


T = TypeVar("T")

_log = logging.getLogger("wsx.serving")


class Beating(Protocol):
    """A socket as the heartbeat sees it."""

    def ping(self) -> bool:
        """Ask the peer for a sign of life. False: nothing can be asked now."""

    def check_pong(self) -> None:
        """Cut the connection unless the peer gave a sign of life since the ping."""


class Heartbeat:
    """Runs while it has sockets, by the clock: where turns of the loop are long, several slots are due at once."""

    def __init__(self, interval_s: float, timeout_s: float, stretches: Stretches, *, spread: bool = True) -> None:
        """`stretches`: where the slots that are due are served, so that many of them do not hold the loop.

        `spread`: sockets that came together, as after a restart, are pinged one after the other, the first ones soon.

        Else the first ping of each comes an interval after it came.
        """
        self._stretches = stretches
        self._spread = spread
        self._tick_s = interval_s / SLOTS
        self._timeout_s = timeout_s
        self._slots: list[set[Beating]] = [set() for _ in range(SLOTS)]
        self._at = self._next = 0
        self._turned_at = 0.0
        """When the slot `_at` was due."""
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: Beating) -> set[Beating]:
        """Begin to look after a socket. Returns its slot, for `discard`."""
        if self._timer is None:
            self._turned_at = monotonic()
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        else:
            self._turn()  # who comes behind a long turn of the loop is none of those who are due since then
        slot = self._slots[self._next if self._spread else self._at]
        slot.add(socket)
        self._next = (self._next + 1) % SLOTS
        self._count += 1
        return slot

    def discard(self, socket: Beating, slot: set[Beating]) -> None:
        """Look after it no longer. Nothing happens when that is so already."""
        if socket not in slot:
            return
        slot.discard(socket)
        self._count -= 1
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        self._turn()

    def _turn(self) -> None:
        """Serve all slots that are due, each once however late it is."""
        due = int((monotonic() - self._turned_at) / self._tick_s)
        self._turned_at += due * self._tick_s
        for _ in range(min(due, SLOTS)):
            self._at = (self._at + 1) % SLOTS
            slot = self._slots[self._at]
            if slot:
                self._stretches.add(partial(self._ask, tuple(slot), slot))

    def _ask(self, sockets: tuple[Beating, ...], slot: set[Beating]) -> None:
        asked = [socket for socket in sockets if socket in slot and _guarded(socket.ping)]
        if asked:
            asyncio.get_running_loop().call_later(self._timeout_s, _check, asked)


def _check(asked: list[Beating]) -> None:
    for socket in asked:
        _guarded(socket.check_pong)


def _guarded(call: Callable[[], T]) -> T | None:
    """One socket that fails keeps none of the others from being looked after."""
    try:
        return call()
    except Exception:
        _log.exception("heartbeat failed")
        return None


@one_per_server
def heartbeat_of(config: Any) -> Heartbeat:
    """The one that looks after the WebSockets of this server."""
    return Heartbeat(config.ws_ping_interval, config.ws_ping_timeout, stretches_of(config))
