"""Work beside requests: ended while it rests, never in the middle of its work."""

import asyncio
from collections.abc import Callable

from api_tests.waiting import eventually
from app.features.background import Rest, background


async def test_work_that_rests_is_ended_at_once():
    rests: list[bool] = []
    some = asyncio.Event()

    async def work(rest: Rest) -> None:
        while True:
            rests.append(await rest.wait(some))
            some.clear()

    async with background("test", work):
        some.set()
        await eventually(lambda: rests)
    assert [True] == rests


async def test_a_rest_may_be_bounded():
    rests: list[bool] = []

    async def work(rest: Rest) -> None:
        rests.append(await rest.wait(asyncio.Event(), 0.001))
        await rest.sleep(0.001)
        rests.append(True)
        await rest.sleep(3600)

    async with background("test", work):
        await eventually(lambda: len(rests) == 2)
    assert [False, True] == rests


async def test_work_that_is_under_way_is_done_before_the_end():
    began, may_end, done = asyncio.Event(), asyncio.Event(), []

    async def work(rest: Rest) -> None:
        while True:
            began.set()
            await may_end.wait()
            done.append("the work")
            await rest.sleep(0)
            done.append("too much")

    async def live() -> None:
        async with background("test", work):
            await began.wait()
        done.append("the end")

    life = asyncio.create_task(live())
    await began.wait()
    await asyncio.sleep(0)
    assert not life.done()
    may_end.set()
    await life
    assert ["the work", "the end"] == done


async def test_work_that_fails_is_told_in_the_log_and_ends_nothing_else(logged: Callable[[], str]):
    async def work(_rest: Rest) -> None:
        message = "out of order"
        raise RuntimeError(message)

    async with background("the works", work):
        await eventually(lambda: True)
    assert "out of order" in (told := logged())
    assert "the works" in told
