"""A backup while people talk, and what they are told when it is put back."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from alembic import command

from api_tests.client import ApiClient
from api_tests.db.shape import change
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sockets.returning import Visitor, away
from api_tests.waiting import MS
from app.cli import backup
from app.db.lineage import Look, Looks
from app.db.migrate import alembic_config, upgrade
from app.db.session import Database
from app.db.sqlite import BUSY_TIMEOUT_MS
from app.db.url import file_of
from app.db.writer import Kind
from app.features import restored
from app.features.users import ensure_users
from app.settings import Settings


def copy(settings: Settings, target: Path) -> None:
    backup.copy(file_of(settings.database_url), target)


def put_back(source: Path, target: Path) -> None:
    """With the server stopped."""
    for behind in ("-wal", "-shm"):
        target.with_name(target.name + behind).unlink(missing_ok=True)
    shutil.copy(source, target)


def put_back_under(copy: Path, path: Path) -> None:
    """While the server runs. In a thread: it waits for whoever writes, who needs the loop to end."""
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(path, timeout=5)) as target:
        source.backup(target)


async def said(server: Running) -> list[str]:
    async with ApiClient(server.url, ADMIN_KEY) as api:
        return [one["message"] for one in (await api.get("/rooms/lobby/messages")).json()["items"]]


async def say(server: Running, *texts: str) -> None:
    async with ApiClient(server.url, ADMIN_KEY) as api:
        await api.post("/rooms", {"id": "lobby"})
        for text in texts:
            assert 201 == (await api.post("/rooms/lobby/messages", {"message": text})).status_code


async def test_a_copy_that_is_put_back_under_a_running_server_is_told_to_its_pages(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "LOOK_EVERY_S", 10 * MS)
    async with run_server(settings) as server:
        visitor = Visitor(server, "ada")
        async with visitor.visit() as page:
            await say(server, "one")
            await asyncio.to_thread(copy, settings, tmp_path / "copy.db")
            await say(server, "two")
            await asyncio.to_thread(put_back_under, tmp_path / "copy.db", file_of(settings.database_url))
            while not visitor.gaps:
                await page.next()
            assert ["one"] == await said(server)
            assert visitor.cursor == visitor.gaps[0]["cursor"] == server.hub.cursor()


@pytest.mark.parametrize("with_redis", [False, True], ids=["alone", "with a journal in Redis"])
async def test_a_copy_that_is_put_back_while_the_server_is_stopped_is_told_to_who_comes_back(
    settings: Settings, redis: RedisServer, tmp_path: Path, *, with_redis: bool
) -> None:
    settings = msgspec.structs.replace(settings, redis_url=redis.url if with_redis else "")
    async with run_server(settings) as server:
        visitor = Visitor(server, "ada")
        async with visitor.visit():
            await say(server, "one")
            await asyncio.to_thread(copy, settings, tmp_path / "copy.db")
            await say(server, "two")
        await away(visitor)
    async with run_server(settings) as visitor.server, visitor.visit() as page:
        assert with_redis == page.hello["resumed"]  # nothing was restored, and only that journal outlasts the server
    put_back(tmp_path / "copy.db", file_of(settings.database_url))
    async with run_server(settings) as visitor.server, visitor.visit() as page:
        assert not page.hello["resumed"]
        assert "gap" == (await page.next())["type"]
        assert ["one"] == await said(visitor.server)


async def looked_at(settings: Settings) -> Look:
    """By a process of its own."""
    database = Database(settings.database_url)
    try:
        return await Looks(database).look()
    finally:
        await database.close()


async def test_a_copy_that_was_made_otherwise_is_told_from_the_file_by_the_looks_since(settings: Settings, tmp_path: Path) -> None:
    first = await looked_at(settings)
    shutil.copy(file_of(settings.database_url), tmp_path / "copy.db")
    second = await looked_at(settings)
    put_back(tmp_path / "copy.db", file_of(settings.database_url))
    assert second.found.continues(first.left)
    assert not (await looked_at(settings)).found.continues(second.left)


async def test_a_backup_is_told_from_the_file_at_once_and_so_is_another_backup(settings: Settings, tmp_path: Path) -> None:
    first = await looked_at(settings)
    words = {first.left.word}
    for name in ("one.db", "two.db"):
        copy(settings, tmp_path / name)
        other = msgspec.structs.replace(settings, database_url=f"sqlite+aiosqlite:///{tmp_path / name}")
        words.add((await looked_at(other)).found.word)
    assert 3 == len(words)


async def test_what_the_operator_does_to_the_tables_does_not_make_it_another(settings: Settings, database: Database) -> None:
    looks = Looks(database)
    before = await looks.look()
    for statement in ("CREATE INDEX mine ON users (name)", "ANALYZE", "VACUUM", "DROP INDEX mine"):
        change(settings.database_url, statement)
        after = await looks.look()
        assert after.found.continues(before.left), statement
        before = after
    await asyncio.to_thread(command.downgrade, alembic_config(settings.database_url), "-1")
    await asyncio.to_thread(upgrade, settings.database_url)
    assert (await looks.look()).found.continues(before.left)


async def test_a_look_writes_only_where_something_was_written_since_the_one_before(settings: Settings, database: Database) -> None:
    looks = Looks(database)
    assert [1, 1, 1] == [(await looks.look()).left.progress for _ in range(3)]
    async with database.transaction() as session:
        await ensure_users(session, ["ada"])
    assert [2, 2] == [(await looks.look()).left.progress for _ in range(2)]
    await database.write(Kind("nothing", lambda _, jobs: jobs), None)
    assert [3, 3] == [(await looks.look()).left.progress for _ in range(2)]


async def test_what_is_written_meanwhile_neither_begins_a_backup_anew_nor_waits_for_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy in steps begins anew each time that somebody else writes, unless it reads in one transaction."""
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    written, longest = 0, 0.0
    with closing(sqlite3.connect(file_of(settings.database_url), isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        copying = asyncio.create_task(asyncio.to_thread(copy, settings, tmp_path / "copy.db"))
        while not copying.done():
            began = time.monotonic()
            writer.execute("INSERT INTO rooms (id, name, is_private, created_at) VALUES (?, 'x', 0, '2026-11-27')", [f"{written}"])
            longest = max(longest, time.monotonic() - began)
            written += 1
            await asyncio.sleep(0)
    await copying
    assert 2 < written
    assert longest < BUSY_TIMEOUT_MS * MS
    with closing(sqlite3.connect(tmp_path / "copy.db")) as found:
        assert [("ok",)] == found.execute("PRAGMA integrity_check").fetchall()
        assert [("delete",)] == found.execute("PRAGMA journal_mode").fetchall()
        assert found.execute("SELECT count(*) FROM rooms").fetchone()[0] < written
