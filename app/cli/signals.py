"""SIGTERM and Ctrl-C stop the server, a second one kills it, and it never takes longer than it was given."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

OVERTIME_S = 5.0
"""Seconds behind the drain time in which what is written behind is emptied, and parts are closed."""

_STOPS = signal.SIGINT, signal.SIGTERM
_log = structlog.get_logger()


class Stoppable(Protocol):
    """A server that stops soon after this is set."""

    should_exit: bool


@contextmanager
def stopped_by_signals(server: Stoppable, drain_s: float) -> Iterator[None]:
    """While the block runs. To be stopped is no failure; to be cut off, when the time is over, is one: exit status 1."""

    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, drain_s + OVERTIME_S)

    before = {number: signal.signal(number, stop) for number in _STOPS}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _cut)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _cut(_number: int, _frame: object) -> None:
    _log.error("the server could not stop in time and is cut off")
    os._exit(1)
