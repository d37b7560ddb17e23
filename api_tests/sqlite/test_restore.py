"""A backup while people talk, and what they are told when it is put back."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sockets.returning import Visitor, away
from api_tests.waiting import MS
from app.cli import backup
from app.db.lineage import look_at
from app.db.session import Database
from app.db.sqlite import BUSY_TIMEOUT_MS
from app.db.url import file_of
from app.features import restored
from app.settings import Settings


def copy(settings: Settings, target: Path) -> None:
    backup.copy(file_of(settings.database_url), target)


def put_back(source: Path, target: Path) -> None:
    """With the server stopped."""
    for behind in ("-wal", "-shm"):
        target.with_name(target.name + behind).unlink(missing_ok=True)
    shutil.copy(source, target)


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
            live = sqlite3.connect(file_of(settings.database_url), timeout=5)
            with closing(sqlite3.connect(tmp_path / "copy.db")) as source, closing(live) as target:
                source.backup(target)
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


async def test_a_copy_that_is_older_than_a_look_is_told_from_the_file(settings: Settings, tmp_path: Path) -> None:
    looks = []
    for put in (None, None, tmp_path / "copy.db"):
        if put is not None:
            put_back(put, file_of(settings.database_url))
        database = Database(settings.database_url)
        looks.append(await look_at(database, counts=True))
        await database.close()
        if len(looks) == 1:
            copy(settings, tmp_path / "copy.db")
    assert looks[1].found.continues(looks[0].left)
    assert not looks[2].found.continues(looks[1].left)


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
