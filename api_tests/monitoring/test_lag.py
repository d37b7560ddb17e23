"""How late the event loop is."""

import asyncio
import time

from api_tests.waiting import MS, eventually
from app.monitoring.process import LoopLag

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


async def test_nobody_looks_any_more_behind_the_block():
    lag = LoopLag()
    with lag.running():
        pass
    assert lag._probe is not None
    assert lag._probe.cancelled()
