"""Is a node that does not reach the database ready? As long as none of the others is better."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.cluster.nodes import Cluster
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import MS, eventually, eventually_told
from app import main
from app.cluster import clerk
from app.kernel.errors import Unavailable
from app.monitoring.storage import WatchedDatabase
from app.settings import Settings
from app.web import health

Says = Callable[[int, str], Awaitable[bool]]


class Away:
    """In place of `Database.check`."""

    def __init__(self) -> None:
        self.is_away = False

    async def __call__(self) -> None:
        if self.is_away:
            raise Unavailable("away")


@pytest.fixture
def database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Away:
    """Of the server; it is cut off from it where the test says so."""
    database, away = WatchedDatabase(settings.database_url), Away()
    monkeypatch.setattr(main, "WatchedDatabase", lambda _url: database)
    monkeypatch.setattr(database, "check", away)
    return away


@asynccontextmanager
async def serving(settings: Settings, redis: RedisServer) -> AsyncIterator[tuple[Running, Says]]:
    """A server of a cluster, and what its readiness says now."""
    async with (
        run_server(msgspec.structs.replace(settings, redis_url=redis.url)) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
    ):

        async def says(status: int, word: str) -> bool:
            ready = await api.http.get("/health/ready")
            assert ("ok" == word) == ("ok" == ready.json()["status"])
            return (status, word) == (ready.status_code, ready.json()["parts"]["database"])

        yield server, says


async def test_a_node_that_alone_does_not_reach_the_database_is_not_ready(
    settings: Settings, redis: RedisServer, cluster: Cluster, database: Away, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "ALONE_AFTER_S", 0.0)
    async with cluster.node("b") as b, serving(settings, redis) as (_, says):
        assert await says(200, "ok")
        database.is_away = True
        await eventually_told(lambda: says(503, "away here"))
        b.has_database = False
        await eventually_told(lambda: says(200, "away"))
        b.has_database = True
        await eventually_told(lambda: says(503, "away here"))
        database.is_away = False
        assert await says(200, "ok")


async def test_an_outage_that_has_just_begun_is_held_for_one_of_all(
    settings: Settings, redis: RedisServer, cluster: Cluster, database: Away
):
    async with cluster.node("b"), serving(settings, redis) as (server, says):
        await eventually(lambda: server.hub.roster.has_database_elsewhere)
        database.is_away = True
        assert await says(200, "away")


async def test_who_does_not_know_the_others_does_not_say_that_they_are_better(
    settings: Settings, redis: RedisServer, cluster: Cluster, database: Away, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "ALONE_AFTER_S", 0.0)
    async with cluster.node("b"), serving(settings, redis) as (server, says):
        database.is_away = True
        await eventually_told(lambda: says(503, "away here"))
        monkeypatch.setattr(clerk, "DEAD_AFTER_S", 300 * MS)
        redis.pause()
        await eventually(lambda: server.hub.roster.is_stale)
        assert await says(200, "away")
        redis.resume()


async def test_others_are_told_whether_a_node_reaches_the_database(
    settings: Settings, redis: RedisServer, cluster: Cluster, database: Away, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(main, "WATCH_EVERY_S", 20 * MS)
    async with cluster.node("b") as b, serving(settings, redis):
        for is_away in (False, True, False):
            database.is_away = is_away
            await eventually(lambda is_away=is_away: b.roster.has_database_elsewhere is not is_away)
