"""The journal in Redis, while Redis, the way to it, and followers misbehave."""

import asyncio
from collections.abc import Callable

import pytest

from api_tests.journals import RedisNode, redis_node, say
from api_tests.proxy import proxy_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.journal import appends
from app.journal import lag as lags
from app.journal import redis as journals
from app.kernel.errors import Unavailable


async def test_a_cut_connection_costs_no_more_than_what_was_on_its_way(redis: RedisServer, quick: None):
    async with proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as node:
        for number in range(5):
            await node.until_reached()
            await say(node, str(number))
            proxy.cut()
            await asyncio.sleep(0)
        await eventually(lambda: node.texts == list("01234"))
        await eventually(lambda: node.state == "ok")


async def test_an_answer_that_is_lost_is_no_success_though_it_may_have_been_done(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    async with redis_node(redis) as other, proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as node:
        await say(node, "before")
        monkeypatch.setattr(journals, "APPEND_S", 200 * MS)
        proxy.hold_answers()
        with pytest.raises(Unavailable, match="not known whether it was published"):
            await node.append(b"perhaps")
        await eventually(lambda: other.texts == ["before", "perhaps"])
        proxy.release_answers()
        await eventually(lambda: node.texts == ["before", "perhaps"])


async def test_a_redis_that_stands_still_is_away_soon_and_does_nothing_late(
    nodes: tuple[RedisNode, RedisNode], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    one, other = nodes
    await say(one, "before")
    redis.pause()
    with monkeypatch.context() as short:
        short.setattr(appends, "APPEND_S", 200 * MS)
        short.setattr(journals, "APPEND_S", 200 * MS)
        outcomes = await asyncio.gather(*(one.append(b"meanwhile") for _ in range(50)), return_exceptions=True)
    assert {Unavailable} == set(map(type, outcomes))
    await eventually(lambda: one.state == other.state == "away")
    redis.resume()
    await asyncio.gather(one.until_reached(), other.until_reached())
    await say(one, "after")
    await eventually(lambda: one.texts == other.texts == ["before", "after"])


async def test_what_redis_refuses_is_not_published(nodes: tuple[RedisNode, RedisNode], redis: RedisServer):
    one, _ = nodes
    await redis.client.config_set("maxmemory", "1")
    with pytest.raises(Unavailable):
        await one.append(b"too much")
    await redis.client.config_set("maxmemory", "0")
    await one.until_reached()
    await say(one, "1")
    assert ["1"] == one.texts


async def test_a_redis_that_is_not_there_at_the_start_is_waited_for(redis: RedisServer, quick: None, logged: Callable[[], str]):
    await redis.stop()
    async with redis_node(redis) as node:
        assert "never reached" == node.state
        with pytest.raises(Unavailable):
            await node.append(b"x")
        with pytest.raises(Unavailable):
            await node.read(node.head()[:-1] + "1", 10)
        assert 1 == logged().count("the journal is away")
        await redis.start()
        await node.until_reached()
        assert [node.head()] == node.lost_before
        await say(node, "1")
        assert ("ok", ["1"]) == (node.state, node.texts)


async def test_following_goes_on_whatever_happens_in_it(
    redis: RedisServer, quick: None, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    async with redis_node(redis) as node:
        with monkeypatch.context() as broken:
            broken.setattr(node._marks, "note", lambda *_: 1 / 0)
            with pytest.raises(Unavailable):
                await node.append(b"1")
            await eventually(lambda: "following the journal failed" in logged())
        await node.until_reached()
        await say(node, "2")
        assert ["1", "2"] == node.texts
        assert not node._task.done()
        node._ends = True  # nothing but its own end lets it end, and then it does not say that all is well
        await redis.stop()
        await eventually(node._task.done)
        node._reached.set()
        assert "away" == node.state


async def test_followers_that_fail_in_whatever_they_are_called_for_keep_nothing_from_the_others(
    redis: RedisServer, quick: None, logged: Callable[[], str]
):
    def broken(*_: object) -> None:
        raise OSError

    async with redis_node(redis) as node:
        node.follow(broken, lost=broken, until_ready=broken)
        node.follow(lambda _: None, lost=None)
        await say(node, "1", "2")
        await redis.client.flushall()
        await eventually(lambda: len(node.lost_before) == 2)
        assert ["1", "2"] == node.texts
        told = logged()
        assert [2, 2, 1] == [told.count(f"journal follower failed{what}") for what in ('"', " to get ready", " to note")]


async def test_a_node_that_cannot_keep_up_says_so_and_when_it_is_over(
    nodes: tuple[RedisNode, RedisNode], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(lags, "MAX_LAG_S", 50 * MS)
    one, other = nodes
    held = asyncio.Event()
    other.follow(lambda _: None, until_ready=held.wait)
    await say(one, "1")
    await eventually(lambda: other.state == "lagging")
    assert other.health().lag_s > 50 * MS
    held.set()
    await eventually(lambda: "the journal lags no more" in logged())
    assert ("ok", 0.0) == (other.state, other.health().lag_s)
