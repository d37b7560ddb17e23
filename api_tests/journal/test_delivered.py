"""Whoever waits for an entry to be delivered on this node is told when it was, or that it never will be."""

import asyncio

import pytest

from app.journal.delivered import Delivered
from app.journal.place import Place
from app.kernel.errors import Unavailable

EPOCH = "1" * 14


def at(number: int, epoch: str = EPOCH) -> Place:
    return Place(epoch, number, 0)


async def one_waits_and_another_left(delivered: Delivered, wanted: Place) -> asyncio.Task[None]:
    waits, left = (asyncio.create_task(delivered.until(wanted)) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)
    return waits


@pytest.mark.parametrize("wanted", [at(1), at(5), at(7, "2" * 14)])
async def test_what_was_skipped_or_is_of_another_life_is_never_delivered(wanted: Place):
    delivered = Delivered(at(0))
    delivered.skip_to(at(5))
    with pytest.raises(Unavailable, match="has lost what was published"):
        await delivered.until(wanted)


async def test_those_who_wait_for_what_is_skipped_are_told_and_who_left_is_not():
    delivered = Delivered(at(0))
    waits = await one_waits_and_another_left(delivered, at(3))
    delivered.skip_to(at(3))
    with pytest.raises(Unavailable, match="has lost what was published"):
        await waits


async def test_those_who_wait_hear_of_it_when_it_comes_and_later_at_once():
    delivered = Delivered(at(0))
    waits = await one_waits_and_another_left(delivered, at(1))
    delivered.passed(at(1))
    await waits
    await delivered.until(at(1))
