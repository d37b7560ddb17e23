"""How late the event loop is."""

import asyncio
import time
from collections.abc import Callable

import pytest

from api_tests.waiting import MS, eventually
from app.kernel.histogram import SECONDS
from app.monitoring import process
from app.monitoring.process import MAX_MISSED, PROBE_S, LoopLag

HELD_S = 300 * MS


async def test_a_loop_that_is_held_is_late_by_about_so_much():
    lag = LoopLag()
    with lag.running():
        await eventually(lambda: sum(lag.seconds.counts))
        before = lag.seconds.sum
        asyncio.get_running_loop().call_soon(time.sleep, HELD_S)
        await asyncio.sleep(0)  # in which the loop is held
        seen = sum(lag.seconds.counts)
        await eventually(lambda: sum(lag.seconds.counts) > seen)
        assert lag.seconds.sum - before > HELD_S - 100 * MS  # the look was due at any time in it


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[LoopLag, float, float], None]:
    """A look that was due at a time, and came at another."""

    def look(lag: LoopLag, due: float, came: float) -> None:
        monkeypatch.setattr(process, "monotonic", lambda: came)
        monkeypatch.setattr(lag, "_probe_again", lambda _now: None)
        lag._probed(due)

    return look


def test_looks_that_a_held_loop_has_missed_are_late_too(at: Callable[[LoopLag, float, float], None]):
    lag = LoopLag()
    for number in range(130):  # 13 seconds in time, then two that are held
        at(lag, number * PROBE_S, number * PROBE_S)
    at(lag, 13.0, 14.95)
    late = sum(count for bound, count in zip((*SECONDS, float("inf")), lag.seconds.counts, strict=True) if bound > 0.25)
    assert (150, 17) == (sum(lag.seconds.counts), late)
    assert 19.9 < lag.seconds.sum < 20.1


def test_a_process_that_was_stopped_for_a_day_makes_up_for_a_minute_of_it(at: Callable[[LoopLag, float, float], None]):
    lag = LoopLag()
    at(lag, 3_600.0, 90_000.0)
    assert 1 + MAX_MISSED == sum(lag.seconds.counts)


async def test_nobody_looks_any_more_behind_the_block():
    lag = LoopLag()
    with lag.running():
        pass
    assert lag._probe is not None
    assert lag._probe.cancelled()
