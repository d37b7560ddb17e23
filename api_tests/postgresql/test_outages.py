"""A server that stops, comes back, freezes: every answer comes in time and is true, sockets live on, and soon all is well again."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api_tests.client import ApiClient
from api_tests.db.beside import rows, storing
from api_tests.postgresql_server import Postgres, query
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import MS, eventually
from app.auth import keys
from app.db import postgresql
from app.db.session import Database
from app.kernel.errors import Unavailable
from app.settings import Settings

PATIENCE_S = postgresql.POOL_TIMEOUT_S + postgresql.ANSWER_TIMEOUT_S + postgresql.CONNECT_TIMEOUT_S
"""An answer takes no longer: it waits for a connection of the pool, for a new one, and for one statement."""
WELL_AGAIN_S = 10.0
ROOMS = "SELECT id FROM rooms ORDER BY id"


@pytest.fixture
def database_url(own_url: str) -> str:
    return own_url


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test has to wait for long; on a busy machine some requests are then refused that need not be."""
    monkeypatch.setattr(postgresql, "POOL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(postgresql, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr(postgresql, "CONNECT_TIMEOUT_S", 0.3)


@asynccontextmanager
async def turning() -> AsyncIterator[None]:
    """The loop of the server goes on turning: it would turn some thirty times if each request held it until it is refused."""
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(MS)
            turns += 1

    task = asyncio.create_task(watch())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert turns > 60


async def made(api: ApiClient, room_id: str) -> bool:
    """Whether the room could be made; what cannot be is refused with 503, and says when to come back."""
    answer = await api.post("/rooms", {"id": room_id})
    if answer.status_code == 503:
        assert "1" == answer.headers["retry-after"]
    return answer.status_code == 201


async def has_database(api: ApiClient) -> bool:
    """What it says of it; it is ready in any case: no other node is better."""
    answer = await api.http.get("/health/ready")
    word = answer.json()["parts"]["database"]
    assert (200, True) == (answer.status_code, word in {"ok", "away"})
    return word == "ok"


async def well_again(api: ApiClient, room_id: str) -> None:
    async with asyncio.timeout(WELL_AGAIN_S):
        while not await made(api, room_id):
            pass
        while not await has_database(api):
            pass


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["at once", "with a goodbye"])
async def test_a_server_that_stops_and_comes_back(
    own: Postgres, settings: Settings, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(run_server(settings))
        api = await stack.enter_async_context(ApiClient(server.url, ADMIN_KEY))
        page = await stack.enter_async_context(server.socket("ada"))
        assert await made(api, "before")
        scraper = await stack.enter_async_context(ApiClient(server.url, await api.key_with("metrics:read", "rooms:write")))
        assert 200 == (await scraper.http.get("/metrics")).status_code
        await asyncio.to_thread(own.stop, how)
        try:
            refused = await asyncio.gather(*(made(api, f"meanwhile-{number}") for number in range(30)))
            assert [False] * 30 == refused
            assert not await has_database(api)
            assert 200 == (await api.http.get("/health/live")).status_code
            monkeypatch.setattr(keys, "CACHE_S", 0.0)
            assert 'wsx_transactions_total{outcome="unavailable"' in (await scraper.http.get("/metrics")).text
            assert not await made(scraper, "by a key that cannot be looked up")
            await api.broadcast("still here")  # what needs no database goes on
            assert "still here" == (await page.next_of("#status"))["html"]
            assert "This does not work at the moment" in (await page.ask("join-room", {"roomId": "x"}))["html"]
        finally:
            await asyncio.to_thread(own.start)
        await well_again(api, "afterwards")
        assert "Joined room" in (await page.ask("join-room", {"roomId": "afterwards"}))["html"]
    assert [("afterwards",), ("before",)] == rows(settings, ROOMS)


async def test_a_restart_between_two_requests_costs_at_most_a_moment(own: Postgres, settings: Settings) -> None:
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        assert all(await asyncio.gather(*(made(api, f"before-{number}") for number in range(20))))
        await asyncio.to_thread(own.stop, signal.SIGINT)
        await asyncio.to_thread(own.start)
        await asyncio.sleep(0)  # the loop has read by then that the connections of the pool are closed
        await well_again(api, "afterwards")
        assert all(await asyncio.gather(*(made(api, f"later-{number}") for number in range(20))))


async def test_a_server_that_freezes_and_thaws(short: None, own: Postgres, settings: Settings) -> None:
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api, server.socket("ada") as page:
        await asyncio.gather(*(made(api, f"before-{number}") for number in range(20)))  # its pool has connections
        own.freeze()
        try:
            async with turning():
                refused = await asyncio.gather(*(made(api, f"meanwhile-{number}") for number in range(30)))
                assert [False] * 30 == refused
                assert not await has_database(api)
                await api.broadcast("still here")
                assert "still here" == (await page.next_of("#status"))["html"]
        finally:
            own.thaw()
        await well_again(api, "afterwards")


async def test_an_answer_of_a_frozen_server_is_not_waited_for_longer_than_said(own: Postgres, settings: Settings) -> None:
    database = Database(settings.database_url)
    await database.check()
    own.freeze()
    try:
        began = monotonic()
        with pytest.raises(Unavailable, match="nothing was stored"):
            async with database.transaction() as session:
                await session.execute(text(ROOMS))
        assert monotonic() - began < PATIENCE_S
        began = monotonic()
        with pytest.raises(Unavailable):
            await database.check()
        assert monotonic() - began < 2 * postgresql.CHECK_TIMEOUT_S
    finally:
        own.thaw()
    await database.check()
    await database.close()


async def test_a_commit_whose_answer_is_lost_says_that_it_may_be_stored(short: None, own: Postgres, settings: Settings) -> None:
    database = Database(settings.database_url)

    async def store() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO rooms VALUES ('unclear', 'x', false, now())"))
            own.freeze()

    with pytest.raises(Unavailable, match="may be stored or not"):
        await store()
    own.thaw()
    assert rows(settings, ROOMS) in ([("unclear",)], [])
    await database.check()
    await database.close()


async def test_all_that_was_answered_is_there_after_a_crash(own: Postgres, settings: Settings) -> None:
    """The server dies while many write; it recovers what it had confirmed, and nothing else is told to be stored."""
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        stored: list[str] = []

        async def writes(number: int) -> None:
            for turn in range(1_000):
                answer = await api.post("/rooms", {"id": f"{number:02}-{turn:04}"})
                if answer.status_code != 201:
                    assert 503 == answer.status_code
                    return
                stored.append(answer.json()["id"])

        writing = [asyncio.create_task(writes(number)) for number in range(8)]
        await eventually(lambda: len(stored) > 100)
        await asyncio.to_thread(own.stop, signal.SIGQUIT)
        await asyncio.gather(*writing)
        await asyncio.to_thread(own.start)
        await well_again(api, "zz")
    there = {room_id for (room_id,) in rows(settings, ROOMS)}
    assert set() == set(stored) - there
    assert len(there) - 1 - len(stored) <= 8  # those whose answer was lost


async def test_a_server_that_is_to_keep_its_commits_in_memory_is_told_otherwise(own: Postgres, settings: Settings) -> None:
    name = settings.database_url.rpartition("/")[2]
    query(own.url("postgres"), f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with storing(settings) as session:
        assert "on" == await session.scalar(text("SHOW synchronous_commit"))
    query(own.url("postgres"), f"ALTER DATABASE {name} SET synchronous_commit = remote_write")
    async with storing(settings) as session:
        assert "remote_write" == await session.scalar(text("SHOW synchronous_commit"))


async def test_a_connection_that_rests_is_kept_alive(own: Postgres, settings: Settings) -> None:
    """What is in between forgets those that are silent for minutes."""
    async with storing(settings) as session:
        assert str(postgresql.KEEPALIVE_S) == await session.scalar(text("SHOW tcp_keepalives_idle"))


async def tried(settings: Settings, statement: str) -> None:
    database = Database(settings.database_url)
    try:
        async with database.transaction() as session:
            await session.execute(text(statement))
    finally:
        await database.check()  # whatever it was, the next one works
        await database.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT pg_sleep(30)", "statement timeout"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "terminating connection"),
        ("DO $$ BEGIN SET TRANSACTION READ ONLY; DELETE FROM users; END $$", "read-only transaction"),
        ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", "40P01"),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", "53100"),
    ],
    ids=["slow", "cut off", "read only", "deadlock", "disk full"],
)
async def test_what_passes_is_unavailable(monkeypatch: pytest.MonkeyPatch, settings: Settings, statement: str, told: str) -> None:
    if told == "statement timeout":
        monkeypatch.setattr(postgresql, "STATEMENT_TIMEOUT_MS", 50)
    with pytest.raises(Unavailable) as refused:
        await tried(settings, statement)
    assert told in refused.value.__notes__[0]


@pytest.mark.parametrize("statement", ["SELECT 1/0", "SELECT * FROM nowhere", "SELECT 'not a number'::int"])
async def test_a_mistake_is_not_taken_for_an_outage(settings: Settings, statement: str) -> None:
    with pytest.raises(DBAPIError):
        await tried(settings, statement)


async def test_values_of_a_statement_that_fails_are_in_no_error(settings: Settings) -> None:
    async def store(number: object) -> None:
        async with storing(settings) as session:
            await session.execute(text("INSERT INTO rooms VALUES ('x', :name, false, :number)"), {"name": "psst", "number": number})

    with pytest.raises(DBAPIError) as refused:
        await store("no time")
    assert "psst" not in str(refused.value)
