"""One timer for all sockets: each is looked at and pinged once per interval, a slot of them at a time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from app.serving.shared import one_per_server

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
    """Runs while it has sockets."""

    def __init__(self, interval_s: float, timeout_s: float, *, spread: bool = True) -> None:
        """`spread`: sockets that came together, as after a restart, are pinged one after the other, the first ones soon.

        Else the first ping of each comes an interval after it came.
        """
        self._spread = spread
        self._tick_s = interval_s / SLOTS
        self._timeout_s = timeout_s
        self._slots: list[set[Beating]] = [set() for _ in range(SLOTS)]
        self._at = self._next = 0
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: Beating) -> set[Beating]:
        """Begin to look after a socket. Returns its slot, for `discard`."""
        slot = self._slots[self._next if self._spread else self._at]
        slot.add(socket)
        self._next = (self._next + 1) % SLOTS
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        return slot

    def discard(self, socket: Beating, slot: set[Beating]) -> None:
        """Look after it no longer."""
        slot.discard(socket)
        self._count -= 1
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._tick_s, self._tick)
        self._at = (self._at + 1) % SLOTS
        asked = [socket for socket in tuple(self._slots[self._at]) if _guarded(socket.ping)]
        if asked:
            loop.call_later(self._timeout_s, _check, asked)


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
    return Heartbeat(config.ws_ping_interval, config.ws_ping_timeout)
