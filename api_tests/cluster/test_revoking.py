"""Revoked tokens in a cluster: known on every node, whether Redis tells it or not."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api_tests.cluster.processes import token_of, two_processes
from api_tests.cluster.services import Node, run_services
from api_tests.redis_server import RedisServer
from api_tests.sockets.test_entry import refused
from api_tests.waiting import MS, eventually
from app.cluster import asking
from app.features.tokens import revoke, watch
from app.hub.everywhere import Incomplete
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable
from app.kernel.identity import User
from app.settings import Settings


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 20 * MS)


def ada() -> User:
    return User("ada", "Ada", frozenset(), None, utc_now())


def knows(node: Node, user: User) -> bool:
    return node.services.tokens.revocations.cover(user)


async def test_a_node_that_redis_does_not_reach_sees_it_in_the_database_and_closes_what_it_has(
    settings: Settings, redis: RedisServer, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WITHIN_S", 0.2)
    async with run_services(settings, redis.url, "node-a", "node-b") as (a, b):
        before, page = ada(), b.tab("ada")
        fresh = b.tab("ada")
        fresh.connection.user = User("ada", "Ada", frozenset(), None, utc_now().replace(year=2100))
        other = b.tab("bob")
        await redis.stop()
        with pytest.raises(Incomplete, match="redis did not answer in time; the tokens are revoked"):
            await revoke(a.services, "ada", "lost phone")
        assert knows(a, before)
        began = time.monotonic()
        await eventually(lambda: knows(b, before))
        assert time.monotonic() - began < 5
        assert (4401, "token ended") == page.sink.closed_with
        assert [None, None] == [one.sink.closed_with for one in (fresh, other)]


async def test_a_node_that_starts_later_knows_all_of_it(settings: Settings, redis: RedisServer) -> None:
    before = ada()
    async with run_services(settings, redis.url, "node-a") as (a,):
        await revoke(a.services, "ada", "lost phone")
    async with run_services(settings, redis.url, "node-b") as (b,):
        assert knows(b, before)
        assert not knows(b, ada())


async def test_a_database_that_is_away_is_told_once_and_looked_at_again(
    settings: Settings, redis: RedisServer, often: None, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    looks: list[object] = []
    real = watch.store.revoked_since

    async def failing(*asked: object) -> object:
        looks.append(asked)
        if len(looks) < 3:
            raise Unavailable("away")
        if len(looks) == 3:
            raise RuntimeError
        return await real(*asked)

    async with run_services(settings, redis.url, "node-a", "node-b") as (a, b):
        monkeypatch.setattr(watch.store, "revoked_since", failing)
        await eventually(lambda: len(looks) > 3)
        before = ada()
        async with a.services.database.transaction() as session:
            await watch.store.revoke(session, "ada", utc_now())
        await eventually(lambda: knows(a, before) and knows(b, before))
        lines = logged()
    assert 1 <= lines.count("those of other nodes are not known") <= 2  # of two nodes
    assert 1 == lines.count('"level":"error"')


async def test_two_processes_refuse_and_close_at_once_and_share_tickets(redis: RedisServer, tmp_path: Path) -> None:
    async with two_processes(tmp_path, redis.url) as (a, b):
        old = token_of("ada")
        ticket = (await a.api.post("/tickets", {"user_id": "ada"})).json()["ticket"]
        used = (await a.api.post("/tickets", {"user_id": "ada"})).json()["ticket"]
        async with b.socket(None, path=f"/ws?ticket={used}") as page, b.socket("bob") as bob:
            for node in (a, b):
                assert 401 == (await refused(node.socket(None, path=f"/ws?ticket={used}")))[0]
            answer = await a.api.post("/users/ada/disconnect", {"reason": "lost phone", "revoke_tokens": True})
            assert {"closed": 1} == answer.json()
            assert (4409, "lost phone") == await page.closed()
            for node in (a, b):
                status, problem = await refused(node.socket(None, subprotocols=["wsx.v1", f"wsx.token.{old}"]))
                assert (401, True) == (status, "was revoked" in problem["detail"])
            assert 401 == (await refused(b.socket(None, path=f"/ws?ticket={ticket}")))[0]
            assert "Signed in" in (await bob.ask("authenticate", {"token": token_of("bob")}))["html"]
