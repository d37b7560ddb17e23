"""How writes are gathered, divided and answered, whatever stores them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from api_tests.waiting import MS
from app.db import lanes, writes
from app.db import writer as writers
from app.db.writer import Writer
from app.db.writes import Kind
from app.kernel.errors import Unavailable, Unclear


class Disk:
    """Takes commits, one after the other when it is told to."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.sizes: list[int] = []
        self.stored: list[Any] = []
        self.turns = asyncio.Semaphore(0)
        self.patience: set[bool] = set()

    async def commit(self, store: Any, *, is_patient: bool) -> Any:
        self.patience.add(is_patient)
        await self.turns.acquire()
        done = store(None)
        self.sizes.append(len(done))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.stored += done
        return done


def echo(_connection: object, jobs: Sequence[str]) -> Sequence[str]:
    return jobs


ECHO: Kind[str, str] = Kind("echo", echo)


def write_all(writer: Writer, jobs: Sequence[str], **how: Any) -> list["asyncio.Task[str]"]:
    return [asyncio.create_task(writer.write(ECHO, job, **how)) for job in jobs]


async def test_the_first_waits_for_no_company_and_those_behind_it_leave_together_and_are_answered_in_order(monkeypatch):
    monkeypatch.setattr(lanes, "ANSWERED_AT_ONCE", 2)
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    answered: list[str] = []
    tasks = write_all(writer, ["a"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += write_all(writer, ["b", "c", "d"])
    for task in tasks:
        task.add_done_callback(lambda done: answered.append(done.result()))
    disk.turns.release()
    disk.turns.release()
    await asyncio.gather(*tasks)
    assert ([1, 3], ["a", "b", "c", "d"]) == (disk.sizes, answered)
    assert {False} == disk.patience  # none of them may wait long for somebody else


async def test_who_is_cancelled_undoes_nobody_and_what_has_not_left_yet_is_not_stored():
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    left = write_all(writer, "ab")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = write_all(writer, "cde")
    await asyncio.sleep(0)
    left[0].cancel()
    waiting[1].cancel()
    disk.turns.release()
    disk.turns.release()
    outcomes = await asyncio.gather(*left, *waiting, return_exceptions=True)
    assert ["b", "c", "e"] == [one for one in outcomes if isinstance(one, str)]
    assert ["a", "b", "c", "e"] == disk.stored


async def test_a_group_has_so_many_rows_at_most_and_a_larger_write_leaves_alone(monkeypatch):
    monkeypatch.setattr(lanes, "MAX_ROWS", 3)
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    tasks = [*write_all(writer, "abcd"), *write_all(writer, "e", rows=5), *write_all(writer, "f")]
    for _ in tasks:
        disk.turns.release()
    await asyncio.gather(*tasks)
    assert [3, 1, 1, 1] == disk.sizes


async def test_more_than_may_wait_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(writers, "MAX_WAITING", 2)
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    tasks = write_all(writer, "abc")
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Unavailable, match="too much waits"):
        await tasks[2]
    disk.turns.release()
    assert ["a", "b"] == await asyncio.gather(*tasks[:2])


async def test_who_has_waited_for_too_long_is_answered_and_is_not_stored(monkeypatch):
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    first = write_all(writer, "a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    monkeypatch.setattr(writes, "WAIT_S", -1.0)  # its time is over already
    late = write_all(writer, "b")
    await asyncio.sleep(0)
    disk.turns.release()
    assert ["a"] == await asyncio.gather(*first)
    with pytest.raises(Unavailable, match="busy; nothing was stored"):
        await late[0]
    assert [1] == disk.sizes


async def test_a_commit_of_which_no_answer_came_is_settled_by_doing_it_again(monkeypatch):
    monkeypatch.setattr(lanes, "SETTLE_PAUSE_S", 1 * MS)
    disk = Disk(Unclear("lost"), Unavailable("away"), Unclear("lost again"))
    writer = Writer(disk.commit, lanes=1)
    for _ in range(4):
        disk.turns.release()
    assert ["a", "b"] == await asyncio.gather(*write_all(writer, "ab"))
    assert [2, 2, 2, 2] == disk.sizes


async def test_what_cannot_be_settled_in_time_is_said_to_be_unclear(monkeypatch):
    monkeypatch.setattr(lanes, "SETTLE_PAUSE_S", 1 * MS)
    monkeypatch.setattr(lanes, "SETTLE_S", 5 * MS)
    disk = Disk(Unclear("lost"), *(Unavailable("away") for _ in range(100)))
    writer = Writer(disk.commit, lanes=1)
    for _ in disk.outcomes:
        disk.turns.release()
    for outcome in await asyncio.gather(*write_all(writer, "ab"), return_exceptions=True):
        assert isinstance(outcome, Unclear)


async def test_a_lane_that_waits_holds_up_no_other():
    disk = Disk()
    writer = Writer(disk.commit, lanes=2)
    lanes = {hash(name) % 2: name for name in "abcdefgh"}
    slow = write_all(writer, "a", lane=lanes[0])
    await asyncio.sleep(0)
    quick = write_all(writer, "b", lane=lanes[1])
    disk.turns.release()
    disk.turns.release()
    assert ["a", "b"] == await asyncio.gather(*slow, *quick)


async def test_kinds_of_one_transaction_come_in_one_order_whoever_came_first():
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    order: list[str] = []

    def noting(name: str) -> Kind[str, str]:
        def store(_connection: object, jobs: Sequence[str]) -> Sequence[str]:
            order.append(name)
            return jobs

        return Kind(name, store)

    tasks = [asyncio.create_task(writer.write(noting(name), name, lane="a")) for name in "bca"]
    disk.turns.release()
    await asyncio.gather(*tasks)
    assert ["a", "b", "c"] == order


async def test_what_waits_is_counted_until_it_is_answered():
    disk = Disk()
    writer = Writer(disk.commit, lanes=1)
    tasks = write_all(writer, "ab")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += write_all(writer, "c")
    await asyncio.sleep(0)
    assert 3 == len(writer)  # two of them are on their way
    disk.turns.release()
    disk.turns.release()
    await asyncio.gather(*tasks)
    assert 0 == len(writer)
