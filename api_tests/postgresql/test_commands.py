"""The commands on PostgreSQL, and what they say when it cannot be used: one line, without the password."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.postgresql_server import SECRET, Postgres, query
from api_tests.server import ADMIN_KEY
from app.auth.keys import NewKey
from app.cli import console
from app.cli.command import main
from app.db.session import Database
from app.features.keys import first_key

Wsx = Callable[..., tuple[int, str, str]]


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    with postgres.empty() as url:
        yield url


@pytest.fixture
def wsx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wsx:
    """Status, output and error of a command on this database. The password is in none of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)

    def run(url: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("WSX_DATABASE_URL", url)
        status = 0
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return status, out, err

    return run


def test_check_says_where_the_secret_of_tokens_could_not_be_made(
    wsx: Wsx, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)  # root may write anywhere
    status, _, err = wsx(empty_url, "check")
    assert (1, f"wsx: var/token.secret cannot be made: this user may not write into {tmp_path}\n") == (status, err)


def test_check_migrate_and_keys(wsx: Wsx, empty_url: str) -> None:
    tokens = "tokens: HS256, its secret is not there yet; `wsx serve` makes it"
    checked = f"settings: ok\ndatabase: {{}}\n{tokens}\nhandlers and templates: ok\n"
    assert (0, checked.format("no tables yet; `wsx serve` makes them"), "") == wsx(empty_url, "check")
    assert (0, "database: up to date\n", "") == wsx(empty_url, "migrate")
    assert (0, "database: up to date\n", "") == wsx(empty_url, "migrate")
    assert (0, checked.format("ok"), "") == wsx(empty_url, "check")
    assert [(0,)] == query(empty_url, "SELECT count(*) FROM users")
    status, key, _ = wsx(empty_url, "keys", "create", "shop", "--scope", "broadcasts:write")
    assert (0, True) == (status, key.startswith("wsx_"))
    assert "shop" in wsx(empty_url, "keys", "list")[1]


def test_check_finds_a_database_that_a_start_could_not_use(wsx: Wsx, empty_url: str) -> None:
    query(empty_url, "CREATE ROLE guest LOGIN")
    try:
        as_guest = empty_url.replace("wsx:", "guest:")
        refused = "wsx: the role guest may not make tables: GRANT CREATE ON SCHEMA public TO guest\n"
        assert (1, "settings: ok\n", refused) == wsx(as_guest, "check")
        assert 1 == wsx(as_guest, "migrate")[0]
        query(empty_url, "GRANT CREATE ON SCHEMA public TO guest")
        assert 0 == wsx(as_guest, "migrate")[0]
        query(empty_url, "REVOKE CREATE ON SCHEMA public FROM guest")
        assert 0 == wsx(as_guest, "check")[0]  # there is nothing to be made
    finally:
        query(empty_url, "DROP OWNED BY guest")
        query(empty_url, "DROP ROLE guest")
    query(empty_url, "CREATE TABLE alembic_version AS SELECT '9999' AS version_num")
    status, _, err = wsx(empty_url, "check")
    assert (1, True, True) == (status, "is of another version than wsx" in err, "9999" in err)


@pytest.mark.parametrize("command", ["check", "serve"])
def test_more_workers_than_it_has_connections_for_are_refused(
    wsx: Wsx, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(console, "MAX_WORKERS_A_CORE", 100)
    monkeypatch.setenv("WSX_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("WSX_TOKEN_SECRET", "-" * 32)
    monkeypatch.setenv("WSX_WORKERS", "10")
    status, _, err = wsx(postgresql_url, command)
    said = "each wants up to 10 connections of the database, 100 in all, and PostgreSQL has 97 for us: raise its max_connections"
    assert (1, True, True) == (status, said in err, err.endswith("or start at most 9\n"))


@pytest.mark.parametrize("command", [("check",), ("migrate",), ("keys", "list")], ids=" ".join)
def test_what_cannot_be_used_is_one_line(wsx: Wsx, postgres: Postgres, empty_url: str, command: tuple[str, ...]) -> None:
    for url, reason in {
        empty_url.replace(f":{postgres.port}/", ":1/"): "Connect call failed",
        postgres.url("nowhere"): 'database "nowhere" does not exist',
        empty_url.replace("wsx:", "nobody:"): 'role "nobody" does not exist',
    }.items():
        status, _, err = wsx(url, *command)
        assert (1, 1) == (status, err.count("\n"))
        assert err.startswith(f"wsx: the database {url.replace(SECRET, '***')} cannot be used: ")
        assert reason in err


async def test_it_serves_an_empty_database_and_no_line_has_the_password(tmp_path: Path, empty_url: str) -> None:
    operator = Operator(tmp_path)
    async with operator.serves(database_url=empty_url, admin_key=ADMIN_KEY) as serving, ApiClient(serving.url, ADMIN_KEY) as api:
        assert 201 == (await api.post("/rooms", {"id": "lobby"})).status_code
        await asyncio.to_thread(query, empty_url, "ALTER TABLE rooms RENAME TO gone")
        assert 500 == (await api.get("/rooms")).status_code
        await serving.end()
        assert "request failed unexpectedly" in serving.err
        assert SECRET not in serving.out + serving.err
    await asyncio.to_thread(query, empty_url, "ALTER TABLE gone RENAME TO rooms")
    assert [("lobby",)] == await asyncio.to_thread(query, empty_url, "SELECT id FROM rooms")


async def test_of_nodes_that_start_at_once_one_gets_the_first_key(database_url: str) -> None:
    nodes = [Database(database_url) for _ in range(6)]

    async def start(node: Database) -> NewKey | None:
        async with node.transaction() as session:
            return await first_key(session)

    made = await asyncio.gather(*map(start, nodes))
    assert 1 == len([key for key in made if key is not None])
    for node in nodes:
        await node.close()
