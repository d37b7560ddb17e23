"""Work in bursts is done in batches; nothing waits for ever, and nothing is lost while the database is away."""

import asyncio
from time import monotonic

import pytest

from api_tests.waiting import MS, eventually
from app.features import gathering
from app.features.gathering import MAX_BATCH, Gathering
from app.kernel.errors import Unavailable

NEVER_S = 3600


class Work:
    """What was carried out, and how it went wrong."""

    def __init__(self) -> None:
        self.done: list[dict[str, int]] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = 0

    async def __call__(self, batch: dict[str, int]) -> None:
        self.started += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.done.append(batch)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(gathering, "RETRY_S", 1 * MS)


async def test_what_comes_within_the_pause_is_one_batch_and_of_a_key_the_newest_counts():
    work = Work()
    gathered = Gathering("work", work, pause_s=5 * MS)
    async with gathered.running():
        for key, item in (("a", 1), ("b", 2), ("a", 3)):
            gathered.add(key, item)
        await eventually(lambda: work.done)
        gathered.add("a", 4)
        await eventually(lambda: 2 == len(work.done))
    assert [{"a": 3, "b": 2}, {"a": 4}] == work.done


async def test_a_batch_has_a_largest_size():
    work = Work()
    gathered = Gathering("work", work, pause_s=NEVER_S)
    for number in range(MAX_BATCH + 1):
        gathered.add(f"key-{number}", number)
    await gathered.flush()
    assert [MAX_BATCH, 1] == [len(batch) for batch in work.done]


async def test_where_it_has_to_keep_up_full_batches_wait_for_no_pause_and_no_rest(monkeypatch):
    monkeypatch.setattr(gathering, "REST", 1_000_000_000)
    monkeypatch.setattr(gathering, "MAX_REST_S", NEVER_S)
    work = Work()
    gathered = Gathering("work", work, pause_s=NEVER_S, keeps_up=True)
    async with gathered.running():
        for number in range(2 * MAX_BATCH):
            gathered.add(f"key-{number}", number)
        await eventually(lambda: 2 == len(work.done))
    assert [MAX_BATCH] * 2 == [len(batch) for batch in work.done]


async def test_a_key_is_in_it_until_its_batch_is_done():
    work = Work()
    work.gate.clear()
    gathered = Gathering("work", work, pause_s=NEVER_S)
    gathered.add("a", 1)
    flush = asyncio.create_task(gathered.flush())
    await eventually(lambda: work.started)
    assert ("a" in gathered, "b" in gathered) == (True, False)
    work.gate.set()
    await flush
    assert "a" not in gathered


async def test_what_comes_for_a_key_while_its_batch_is_carried_out_is_carried_out_next():
    work = Work()
    work.gate.clear()
    gathered = Gathering("work", work, pause_s=NEVER_S)
    gathered.add("a", 1)
    flush = asyncio.create_task(gathered.flush())
    await eventually(lambda: work.started)
    gathered.add("a", 2)
    work.gate.set()
    await flush
    assert [{"a": 1}, {"a": 2}] == work.done


async def test_it_waits_while_the_database_is_away_and_says_so(logged):
    work = Work()
    work.failure = Unavailable("the disk is full")
    gathered = Gathering("work", work, pause_s=1 * MS)
    async with gathered.running():
        gathered.add("a", 1)
        await eventually(lambda: work.started > 2)
        gathered.add("b", 2)
        work.failure = None
        await eventually(lambda: work.done)
    assert [{"a": 1, "b": 2}] == work.done
    assert "waits, and is tried again" in (told := logged())
    assert "the disk is full" in told


async def test_a_batch_that_fails_otherwise_is_logged_and_given_up_and_the_next_one_is_carried_out(logged):
    work = Work()
    work.failure = ValueError("a mistake of ours")
    gathered = Gathering("work", work, pause_s=1 * MS)
    async with gathered.running():
        gathered.add("a", 1)
        await eventually(lambda: work.started and "a" not in gathered)
        work.failure = None
        gathered.add("b", 2)
        await eventually(lambda: work.done)
    assert [{"b": 2}] == work.done
    assert "batch failed" in (told := logged())
    assert "a mistake of ours" in told


async def test_the_rest_is_carried_out_at_the_end():
    work = Work()
    gathered = Gathering("work", work, pause_s=NEVER_S)
    async with gathered.running():
        gathered.add("a", 1)
    assert [{"a": 1}] == work.done


async def test_a_database_that_is_away_at_the_end_does_not_disturb_the_end(logged):
    work = Work()
    work.failure = Unavailable("the disk is full")
    gathered = Gathering("work", work, pause_s=NEVER_S)
    async with gathered.running():
        gathered.add("a", 1)
    assert [] == work.done
    assert "left undone at the end" in logged()


async def test_nothing_is_done_while_there_is_nothing_to_do():
    work = Work()
    async with Gathering("work", work, pause_s=0).running():
        await asyncio.sleep(0)
    assert 0 == work.started


async def test_in_a_rush_a_batch_is_followed_by_a_rest_of_some_times_its_length():
    moments: list[float] = []

    async def slow(_batch: dict[str, int]) -> None:
        moments.append(monotonic())
        await asyncio.sleep(20 * MS)
        moments.append(monotonic())

    gathered = Gathering("work", slow, pause_s=0)
    async with gathered.running():
        gathered.add("a", 1)
        await eventually(lambda: 1 == len(moments))
        gathered.add("b", 2)
        await eventually(lambda: 3 == len(moments))
    _, ended, began_again, *_ = moments
    assert began_again - ended >= (gathering.REST - 1) * 20 * MS  # timers are not as exact as clocks


async def test_no_rest_is_longer_than_the_longest(monkeypatch):
    monkeypatch.setattr(gathering, "REST", 1_000_000)
    monkeypatch.setattr(gathering, "MAX_REST_S", 1 * MS)
    work = Work()
    gathered = Gathering("work", work, pause_s=0)
    async with gathered.running():
        for number in range(3):
            gathered.add("a", number)
            await eventually(lambda number=number: len(work.done) > number)
    assert [{"a": 0}, {"a": 1}, {"a": 2}] == work.done


async def test_more_than_a_batch_holds_goes_on_by_itself():
    work = Work()
    gathered = Gathering("work", work, pause_s=0)
    async with gathered.running():
        for number in range(MAX_BATCH + 1):
            gathered.add(f"key-{number}", number)
        await eventually(lambda: 2 == len(work.done))
    assert [MAX_BATCH, 1] == [len(batch) for batch in work.done]
