"""What is SQLite's own: its settings, one writer at a time, and files that are not there."""

import asyncio
import resource
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from api_tests.db.beside import others_write, path_of, rows
from api_tests.waiting import MS
from app.db import sqlite
from app.db.session import Database
from app.db.sqlite import BUSY_TIMEOUT_MS
from app.db.writes import Kind
from app.features.users import UserRow, ensuring, named
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable

IDS = "SELECT id FROM users ORDER BY id"


def store_users(connection: Connection, jobs: Sequence[Sequence[str]]) -> Sequence[None]:
    connection.execute(*ensuring(connection, [named(one) for ids in jobs for one in ids]))
    return [None] * len(jobs)


USERS: Kind[Sequence[str], None] = Kind("users", store_users)


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """As if the disk were full: no file of this process may grow beyond it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def tell(connection: Connection, pragmas: Sequence[str]) -> Sequence[object]:
    return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]


TOLD: Kind[str, object] = Kind("told", tell)


def user(user_id: str) -> UserRow:
    return UserRow(id=user_id, name=user_id.title(), roles=[], created_at=utc_now())


async def test_sqlite_is_told_to_lose_nothing(database):
    async with database.reading() as session:
        told = {
            name: await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2
    assert {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS} == told


async def test_the_connection_that_the_writer_has_is_told_the_same(database):
    asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    told = await asyncio.gather(*(database.write(TOLD, name) for name in asked))
    full = 2
    assert ["wal", full, 1, BUSY_TIMEOUT_MS] == told


async def test_writers_of_this_process_wait_for_each_other_and_not_inside_sqlite(impatient, settings):
    database = Database(settings.database_url)
    writing, go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.transaction() as session:
            session.add(user("ada"))
            writing.set()
            await go.wait()

    async def second() -> None:
        async with database.transaction() as session:
            session.add(user("bob"))

    tasks = [asyncio.create_task(first())]
    await writing.wait()
    tasks.append(asyncio.create_task(second()))
    done, _ = await asyncio.wait(tasks[1:], timeout=0.2)  # four times what SQLite would wait
    assert set() == done
    go.set()
    await asyncio.gather(*tasks)
    assert [("ada",), ("bob",)] == rows(settings, IDS)
    await database.close()


async def test_the_log_is_short_again_once_one_who_read_for_long_has_gone(settings, monkeypatch, logged):
    long_bytes = 200_000
    monkeypatch.setattr(sqlite, "LONG_LOG_BYTES", long_bytes)
    monkeypatch.setattr(sqlite, "EMPTY_EVERY_S", 0.0)
    monkeypatch.setattr(sqlite, "EMPTY_WAIT_MS", 1)
    database = Database(settings.database_url)
    log = path_of(settings).with_name("wsx.db-wal")
    await database.write(USERS, ["first"])
    with closing(sqlite3.connect(path_of(settings))) as reader:
        reader.execute("BEGIN")
        reader.execute(IDS).fetchall()
        for number in range(10):
            await database.write(USERS, [f"user-{number}-{more}" for more in range(1_000)])
        assert log.stat().st_size > long_bytes
        assert "the write-ahead log is long" in logged()
        assert [("first",)] == reader.execute(IDS).fetchall()
    await database.write(USERS, ["last"])
    assert log.stat().st_size < long_bytes
    assert [(10_002,)] == rows(settings, "SELECT count(*) FROM users")
    await database.close()


async def test_a_log_that_cannot_be_emptied_is_a_line_in_the_log_and_no_answer(settings, monkeypatch, logged):
    monkeypatch.setattr(sqlite, "EMPTY_EVERY_S", 0.0)
    monkeypatch.setattr(sqlite, "EMPTY_WAIT_MS", 1)
    database = Database(settings.database_url)
    path = path_of(settings)
    await database.write(USERS, [f"{'u' * 9_000}-{number}" for number in range(100)])
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        reader.execute("BEGIN")
        reader.execute(IDS).fetchall()  # it keeps what follows in the log
        await database.write(USERS, [f"{'v' * 9_000}-{number}" for number in range(50)])
    with no_file_larger_than(path.stat().st_size + 200_000):
        monkeypatch.setattr(sqlite, "LONG_LOG_BYTES", 200_000)
        await database.write(USERS, ["ada"])
        async with database.transaction() as session:
            session.add(user("bob"))
    assert "cannot be emptied" in logged()
    assert BUSY_TIMEOUT_MS == await database.write(TOLD, "busy_timeout")
    assert [("ada",), ("bob",)] == rows(settings, "SELECT id FROM users WHERE id IN ('ada', 'bob') ORDER BY id")
    await database.close()


@pytest.mark.parametrize("statement", ["SELECT no_such_column FROM users", "SELEKT 1"])
async def test_a_mistake_is_not_taken_for_an_outage_and_takes_nobody_along(database, settings, statement):
    def store(connection: Connection, ids: Sequence[str]) -> Sequence[None]:
        connection.execute(*ensuring(connection, [named(one) for one in ids]))
        if "wrong" in ids:
            connection.exec_driver_sql(statement)
        return [None] * len(ids)

    writes = (database.write(Kind("users", store), one, lane="a") for one in ("ada", "wrong", "bob"))
    ada, wrong, bob = await asyncio.gather(*writes, return_exceptions=True)
    assert (None, OperationalError, None) == (ada, type(wrong), bob)
    assert [("ada",), ("bob",)] == rows(settings, IDS)
    with pytest.raises(OperationalError):
        async with database.reading() as session:
            await session.execute(text(statement))


async def test_a_database_that_is_not_there_is_unavailable(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/nowhere/wsx.db")
    with pytest.raises(Unavailable, match="nothing was stored"):
        await database.check()
    with pytest.raises(Unavailable):
        async with database.transaction():
            pytest.fail("there is nothing to write to")
    (tmp_path / "nowhere").mkdir()
    await database.check()
    await database.close()


async def test_who_waits_behind_a_writer_that_waits_for_others_is_answered_in_time_too(impatient, settings, monkeypatch):
    """Each of them would wait for its own time behind the others': the last of ten for ten times as long."""
    monkeypatch.setattr(sqlite, "TURN_TIMEOUT_S", MS)
    database = Database(settings.database_url)

    async def write() -> None:
        async with database.transaction():
            pytest.fail("somebody else has the lock")

    async with others_write(settings):
        refused = await asyncio.gather(*(write() for _ in range(10)), return_exceptions=True)
    assert [Unavailable] * 10 == [type(error) for error in refused]
    assert {"database is locked", "TimeoutError"} == {note for error in refused for note in error.__notes__}
    await database.close()
