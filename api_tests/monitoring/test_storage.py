"""How transactions end, and queues of one name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, text

from api_tests.db.beside import SHORT_MS
from app.db import sqlite, writer
from app.db.backend import Overruled
from app.db.session import Database
from app.db.writer import Kind
from app.kernel.batches import Batches
from app.kernel.errors import Unavailable, Unclear
from app.kernel.histogram import SIZES, Histogram
from app.monitoring.storage import StorageCollector, WatchedDatabase


class Queue:
    """A queue in which something waits, after batches of these sizes."""

    name = "letters"

    def __init__(self, waiting: int, *batches: int) -> None:
        self._waiting = waiting
        self.sizes = Histogram(SIZES)
        for size in batches:
            self.sizes.observe(size)

    def __len__(self) -> int:
        return self._waiting


@pytest.fixture
async def watched(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WatchedDatabase]:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", SHORT_MS)
    database = WatchedDatabase(sqlite_url)
    yield database
    await database.close()


def samples(database: WatchedDatabase, batches: Sequence[Batches] = ()) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value
        for metric in StorageCollector(database, batches).collect()
        for one in metric.samples
    }


async def test_a_transaction_is_committed_rolled_back_or_could_not_be(watched: WatchedDatabase, sqlite_url: str):
    async with watched.transaction() as session:
        await session.execute(text("SELECT 1"))
    with pytest.raises(LookupError):
        async with watched.transaction():
            raise LookupError
    other = Database(sqlite_url)
    async with other.transaction():
        with pytest.raises(Unavailable):
            async with watched.transaction():
                pytest.fail("another process writes")
    await other.close()
    seen = samples(watched)
    assert [1, 1, 1] == [seen["wsx_transactions_total", how] for how in ("committed", "rolled_back", "unavailable")]
    assert 1 == seen["wsx_transaction_seconds_count",]
    assert 0 < seen["wsx_transaction_seconds_sum",] < 20


async def test_a_transaction_is_done_inside_its_span(sqlite_url: str):
    order: list[str] = []

    @contextmanager
    def span(name: str):
        order.append(f"{name} begins")
        yield
        order.append(f"{name} ends")

    database = WatchedDatabase(sqlite_url)
    database.span = span
    async with database.transaction():
        order.append("work")
    await database.close()
    assert ["transaction begins", "work", "transaction ends"] == order


async def test_what_the_writer_commits_is_a_transaction_and_its_groups_are_told(watched: WatchedDatabase):
    assert [0, 2, 4] == await asyncio.gather(*(watched.write(DOUBLED, job) for job in range(3)))
    seen = samples(watched, [watched.writer])
    assert (1, 1, 3) == (
        seen["wsx_transactions_total", "committed"],
        seen["wsx_batch_items_count", "writes"],
        seen["wsx_batch_items_sum", "writes"],
    )
    assert 0 == seen["wsx_batch_waiting", "writes"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Unavailable]:
    """How the next tries of the writer end, the first one first."""
    failures: list[Unavailable] = []
    carried_out = Database._commit

    async def commit(database: Database, work: Callable[[Connection], Any]) -> Any:
        if failures:
            raise failures.pop(0)
        return await carried_out(database, work)

    monkeypatch.setattr(Database, "_commit", commit)
    monkeypatch.setattr(writer, "SETTLE_PAUSE_S", 0.0)
    return failures


DOUBLED: Kind[int, int] = Kind("doubled", lambda _connection, jobs: [2 * job for job in jobs])


@pytest.mark.parametrize("failures", [[Unclear("lost"), Unavailable("away")], [Overruled("in the way")]])
async def test_what_the_writer_tries_again_by_itself_was_refused_to_nobody(
    watched: WatchedDatabase, failing: list[Unavailable], failures: list[Unavailable]
):
    failing += failures
    assert [0, 2] == await asyncio.gather(*(watched.write(DOUBLED, job) for job in range(2)))
    seen = samples(watched)
    assert (0, 0) == tuple(seen["wsx_transactions_total", how] for how in ("unavailable", "rolled_back"))
    assert 1 <= seen["wsx_transactions_total", "committed"] <= 2


async def test_each_whose_write_is_refused_is_counted(watched: WatchedDatabase, failing: list[Unavailable]):
    failing.append(Unavailable("away"))
    told = await asyncio.gather(*(watched.write(DOUBLED, job) for job in range(3)), return_exceptions=True)
    assert [Unavailable] * 3 == [*map(type, told)]
    assert 3 == samples(watched)["wsx_transactions_total", "unavailable"]


async def test_queues_of_one_name_are_told_as_one(watched: WatchedDatabase):
    seen = samples(watched, [Queue(2, 1, 40), Queue(3, 40)])
    assert 5 == seen["wsx_batch_waiting", "letters"]
    assert (3, 81) == (seen["wsx_batch_items_count", "letters"], seen["wsx_batch_items_sum", "letters"])
    assert (1, 3) == (seen["wsx_batch_items_bucket", "letters", "32.0"], seen["wsx_batch_items_bucket", "letters", "64.0"])
