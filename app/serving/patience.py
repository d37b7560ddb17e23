"""Deadlines for many who owe us something: a request's head, its body. Who pays in time costs no timer."""

import asyncio
from collections.abc import Callable

from app.kernel.stretches import Stretches
from app.serving.heartbeat import Heartbeat

CUT_AFTER_S = 10.0
"""Seconds that a peer may take for its last bytes once we have hung up: else who reads nothing would live on for minutes."""


class Patience:
    """Waits for each as long as for all others."""

    def __init__(self, timeout_s: float, stretches: Stretches) -> None:
        self._clock = Heartbeat(timeout_s, 0, stretches, spread=False)

    def wait(self, give_up: Callable[[], None]) -> "Wait":
        """`give_up` is called once, when the time is over, unless the wait was ended before."""
        return Wait(self._clock, give_up)


class Wait:
    """For one. To the heartbeat it is a socket that cannot be asked anything."""

    __slots__ = ("_clock", "_give_up", "_slot")

    def __init__(self, clock: Heartbeat, give_up: Callable[[], None]) -> None:
        self._clock = clock
        self._give_up = give_up
        self._slot = clock.add(self)

    def end(self) -> None:
        """What was owed is here, or nobody is there to give it. Whoever waited is let go: else the two would hold each other."""
        self._clock.discard(self, self._slot)
        self._give_up = _settled

    def ping(self) -> bool:
        """The time is over."""
        give_up = self._give_up
        self.end()
        give_up()
        return False

    def check_pong(self) -> None:
        """Nobody was asked."""


def _settled() -> None:
    """What a wait that ended holds in place of who waited."""


def hang_up(transport: asyncio.Transport) -> None:
    """Close, and drop what the peer does not take in time."""
    transport.close()
    asyncio.get_running_loop().call_later(CUT_AFTER_S, transport.abort)
