"""Waits that end together, whenever they began."""

import asyncio

import pytest

from api_tests.waiting import MS, SOON_S
from app.kernel.deadline import Deadline

FAR_S = 3_600.0


async def wait_for_ever(deadline: Deadline, seconds: float, *, set_meanwhile: bool = False) -> None:
    async with deadline.within(seconds):
        if set_meanwhile:
            asyncio.get_running_loop().call_soon(deadline.set, -1)
        await asyncio.Event().wait()


async def test_who_waits_and_who_begins_later_are_cut_off_by_it():
    deadline = Deadline()
    waiting = [asyncio.create_task(wait_for_ever(deadline, FAR_S)) for _ in range(2)]
    await asyncio.sleep(0)
    deadline.set(10 * MS)
    async with asyncio.timeout(SOON_S):
        assert [TimeoutError] * 2 == [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]
        with pytest.raises(TimeoutError):
            await wait_for_ever(deadline, FAR_S)


async def test_what_has_less_time_of_its_own_ends_then_and_what_is_done_is_left_alone():
    deadline = Deadline()
    async with deadline.within(FAR_S):
        done = True
    waiting = asyncio.create_task(wait_for_ever(deadline, 10 * MS))
    await asyncio.sleep(0)
    deadline.set(FAR_S)
    async with asyncio.timeout(SOON_S):
        with pytest.raises(TimeoutError):
            await waiting
    assert done


async def test_it_may_be_set_while_a_wait_is_being_cut_off():
    with pytest.raises(TimeoutError):
        await wait_for_ever(Deadline(), 0, set_meanwhile=True)
