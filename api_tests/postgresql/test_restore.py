"""A dump, and what pages are told when it is put back: with the server stopped, and under it."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from alembic import command
from sqlalchemy import text

from api_tests.client import ApiClient
from api_tests.db.shape import shape
from api_tests.postgresql_server import Postgres, plain, query
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sockets.returning import Visitor, away
from api_tests.waiting import MS, SOON_S
from app.db import lineage
from app.db.lineage import Looks
from app.db.migrate import alembic_config, upgrade
from app.db.session import Database
from app.features import restored
from app.settings import Settings


async def say(server: Running, text: str) -> None:
    async with ApiClient(server.url, ADMIN_KEY) as api:
        await api.post("/rooms", {"id": "lobby"})
        assert 201 == (await api.post("/rooms/lobby/messages", {"message": text})).status_code


def dump(postgres: Postgres, settings: Settings) -> Path:
    """As the docs say it."""
    postgres.run("pg_dump", "--format=custom", "--file=copy.dump", f"--dbname={plain(settings.database_url)}")
    return Path("copy.dump")


def put_back(postgres: Postgres, settings: Settings, path: Path) -> None:
    """As the docs say it."""
    where = f"--dbname={plain(settings.database_url)}"
    postgres.run("pg_restore", "--clean", "--if-exists", "--single-transaction", where, str(path))


async def test_a_dump_that_is_put_back_while_the_server_is_stopped_is_told_to_who_comes_back(
    settings: Settings, redis: RedisServer, postgres: Postgres
) -> None:
    settings = msgspec.structs.replace(settings, redis_url=redis.url)
    async with run_server(settings) as server:
        visitor = Visitor(server, "ada")
        async with visitor.visit():
            await say(server, "one")
            copy = await asyncio.to_thread(dump, postgres, settings)
            await say(server, "two")
        await away(visitor)
    async with run_server(settings) as visitor.server, visitor.visit() as page:
        assert page.hello["resumed"]  # the same database, and the journal is in Redis
    await asyncio.to_thread(put_back, postgres, settings, copy)
    async with run_server(settings) as visitor.server, visitor.visit() as page:
        assert not page.hello["resumed"]
        assert "gap" == (await page.next())["type"]
        assert [("one",)] == query(settings.database_url, "SELECT content FROM messages")


async def test_a_dump_that_is_put_back_under_a_running_server_is_told_to_its_pages(
    settings: Settings, redis: RedisServer, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "LOOK_EVERY_S", 50 * MS)
    async with run_server(msgspec.structs.replace(settings, redis_url=redis.url)) as server:
        visitor = Visitor(server, "ada")
        async with visitor.visit() as page:
            await say(server, "one")
            copy = await asyncio.to_thread(dump, postgres, settings)
            await asyncio.to_thread(put_back, postgres, settings, copy)
            while not visitor.gaps:
                await page.next(SOON_S)
            assert visitor.gaps[0]["cursor"] == server.hub.cursor()
            await say(server, "two")


def brought_back(postgres: Postgres, url: str) -> None:
    """A dump of an older form, as the docs say it."""
    *_, name = url.split("/")
    where = ("--host=127.0.0.1", f"--port={postgres.port}", "--username=wsx")
    command.upgrade(alembic_config(url), "20261124_follows")
    query(url, "INSERT INTO users (id, name, roles, created_at) VALUES ('ada', 'Ada', '[]', now())")
    postgres.run("pg_dump", "--format=custom", "--file=old.dump", f"--dbname={plain(url)}")
    upgrade(url)
    postgres.run("dropdb", *where, name)
    postgres.run("createdb", *where, name)
    postgres.run("pg_restore", "--single-transaction", f"--dbname={plain(url)}", "old.dump")
    upgrade(url)


async def test_a_dump_of_an_older_version_is_put_back_into_an_empty_database_and_brought_up_to_date(
    postgres: Postgres, settings: Settings
) -> None:
    with postgres.empty() as url:
        await asyncio.to_thread(brought_back, postgres, url)
        assert [("ada", "Ada")] == query(url, "SELECT id, name FROM users")
        assert {name for name, _ in shape(settings.database_url)} == {name for name, _ in shape(url)}


async def test_a_table_of_another_making_makes_it_another(settings: Settings, database: Database) -> None:
    before = await Looks(database).look()
    for statement in (
        "CREATE TABLE copied AS SELECT * FROM alembic_version",
        "DROP TABLE alembic_version",
        "ALTER TABLE copied RENAME TO alembic_version",
    ):
        query(settings.database_url, statement)
    assert not (await Looks(database).look()).found.continues(before.left)


async def test_a_role_that_may_nothing_more_can_tell_one_database_from_another(postgres: Postgres, settings: Settings) -> None:
    query(settings.database_url, "CREATE ROLE plain LOGIN")
    try:
        database = Database(settings.database_url.replace("wsx:", "plain:"))
        try:
            before = await Looks(database).look()
            assert (await Looks(database).look()).found.continues(before.left)
        finally:
            await database.close()
    finally:
        query(settings.database_url, "DROP ROLE plain")


async def test_where_it_cannot_be_found_out_that_is_said_once_and_the_server_serves(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, logged
) -> None:
    monkeypatch.setattr(lineage, "_POSTGRESQL", text("SELECT system_identifier FROM pg_control_of_another_kind()"))
    async with run_server(settings) as server:
        await say(server, "one")
    assert 1 == logged().count("whether the database is restored cannot be found out")
