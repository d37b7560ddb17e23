"""The journal in Redis, on several nodes: one order, and what is lost is known."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api_tests.journals import RedisNode, redis_node, say
from api_tests.proxy import proxy_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.journal import redis as journals
from app.journal.place import Place
from app.journal.port import GapError
from app.journal.scripts import LIFE, stream_of
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable


async def test_every_node_hears_all_in_the_same_order(nodes: tuple[RedisNode, RedisNode]):
    one, other = nodes
    await asyncio.gather(
        *(node.append(f"{name}{number}".encode()) for number in range(200) for name, node in zip("ab", nodes, strict=True))
    )
    await eventually(lambda: len(other.heard) == len(one.heard) == 400)
    assert [entry[:2] for entry in one.heard] == [entry[:2] for entry in other.heard]  # each has its own clock
    assert [f"a{number}" for number in range(200)] == [text for text in one.texts if text[0] == "a"]
    assert one.head() == other.head()


async def test_a_page_that_comes_to_another_node_reads_there_what_it_missed(nodes: tuple[RedisNode, RedisNode]):
    one, other = nodes
    first, *_ = await say(one, "1", "2", "3")
    await eventually(lambda: other.head() == one.head())
    assert ["2", "3"] == [entry.payload.decode() for entry in await other.read(first, 10)]


async def test_a_node_that_has_just_been_started_knows_what_was_said_before(redis: RedisServer):
    async with redis_node(redis) as one:
        start = one.head()
        await say(one, "1", "2", "3")
    async with redis_node(redis) as other:
        assert one.head() == other.head()
        assert ["1", "2", "3"] == [entry.payload.decode() for entry in await other.read(start, 10)]
        assert ["1", "2"] == [entry.payload.decode() for entry in await other.read(start, 2)]
        assert [] == other.heard


async def test_a_cursor_that_this_node_has_not_come_to_is_waited_for(nodes: tuple[RedisNode, RedisNode]):
    one, other = nodes
    held = asyncio.Event()
    other.follow(lambda _: None, until_ready=held.wait)
    cursors = await say(one, "1", "2", "3")
    reading = asyncio.create_task(other.read(cursors[1], 10))
    await eventually(lambda: other._delivered._waiting)
    assert not reading.done()
    held.set()
    assert ["3"] == [entry.payload.decode() for entry in await reading]
    assert ["1", "2"] == other.texts[:2]


async def test_a_cursor_that_nobody_gave_is_a_gap_at_once(nodes: tuple[RedisNode, RedisNode]):
    one, _ = nodes
    cursor, *_ = await say(one, "1")
    epoch = cursor.split("-")[0]
    for forged in (Place(epoch, 900, 5), Place(epoch, 1, 5)):
        with pytest.raises(GapError):
            await one.read(forged.cursor, 10)


async def test_while_redis_is_gone_nothing_is_published_and_everybody_is_told_at_once(
    nodes: tuple[RedisNode, RedisNode], redis: RedisServer, logged: Callable[[], str]
):
    one, other = nodes
    start = one.head()
    await say(one, "1")
    await redis.stop()
    with pytest.raises(Unavailable) as refused:
        await one.append(b"lost")
    assert ("1", 503) == (refused.value.headers["Retry-After"], refused.value.status)
    await eventually(lambda: one.state == other.state == "away")
    began = monotonic()
    for _ in range(100):
        with pytest.raises(Unavailable):
            await one.append(b"lost")
    assert monotonic() - began < journals.ANSWER_S  # a hundred of them cost less than to wait for one
    assert ["1"] == [entry.payload.decode() for entry in await one.read(start, 10)]
    await redis.start()
    await asyncio.gather(one.until_reached(), other.until_reached())
    await say(other, "2")
    await eventually(lambda: one.texts == other.texts == ["1", "2"])
    assert [[], []] == [node.lost_before[1:] for node in nodes]
    assert 1 == one.health().reconnects
    told = logged()
    assert 2 == told.count("the journal is away") == told.count("the journal is back")


async def test_a_redis_that_is_back_empty_is_another_life_and_every_follower_is_told(
    nodes: tuple[RedisNode, RedisNode], redis: RedisServer
):
    one, other = nodes
    old = (await say(one, "1", "2"))[0]
    await eventually(lambda: len(other.heard) == 2)
    await redis.restart_empty()
    await eventually(lambda: len(one.lost_before) == len(other.lost_before) == 2)
    await asyncio.gather(one.until_reached(), other.until_reached())
    for node in nodes:
        with pytest.raises(GapError):
            await node.read(old, 10)
    (new,) = await say(other, "3")
    assert old < one.lost_before[1] < new
    await eventually(lambda: one.texts == other.texts == ["1", "2", "3"])


async def test_a_node_that_finds_another_life_later_than_others_hears_all_of_it(redis: RedisServer, quick: None):
    async with redis_node(redis) as one, proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as other:
        await say(one, "1")
        await eventually(lambda: other.texts == ["1"])
        proxy.refuse()
        await eventually(lambda: other.state == "away")
        await redis.restart_empty()
        await eventually(lambda: len(one.lost_before) == 2)
        await one.until_reached()
        await say(one, "2", "3")
        proxy.accept()
        await eventually(lambda: other.texts == ["1", "2", "3"])
        assert one.lost_before[1:] == other.lost_before[1:]


async def test_a_redis_that_was_emptied_under_way_is_noticed(nodes: tuple[RedisNode, RedisNode], redis: RedisServer):
    one, other = nodes
    await say(one, "1", "2")
    await redis.client.flushall()
    await eventually(lambda: len(one.lost_before) == len(other.lost_before) == 2)
    await one.until_reached()
    await say(one, "3")
    await eventually(lambda: other.texts == ["1", "2", "3"])


async def copied(redis: RedisServer, node: RedisNode) -> Callable[[], Awaitable[None]]:
    """What Redis holds now; the call that puts it back, as a copy does that takes over and was behind."""
    keys = [LIFE, stream_of(node.head().split("-")[0])]
    dumps = [await redis.client.dump(key) for key in keys]

    async def put_back() -> None:
        for key, dump in zip(keys, dumps, strict=True):
            await redis.client.restore(key, 0, dump, replace=True)

    return put_back


async def test_a_copy_of_redis_that_is_behind_is_another_life(nodes: tuple[RedisNode, RedisNode], redis: RedisServer):
    one, other = nodes
    await say(one, "1")
    put_back = await copied(redis, one)
    await say(one, "2")
    await eventually(lambda: len(other.heard) == 2)
    await put_back()
    await eventually(lambda: len(one.lost_before) == len(other.lost_before) == 2)


async def test_a_copy_that_was_behind_and_went_on_is_another_life(redis: RedisServer, quick: None):
    async with proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as one:
        await say(one, "1")
        put_back = await copied(redis, one)
        known = (await say(one, "2", "3"))[-1]
        proxy.refuse()
        await eventually(lambda: one.state == "away")
        await put_back()
        async with redis_node(redis) as other:
            await say(other, "2 of another", "3 of another", "4")
            with pytest.raises(GapError):
                await other.read(known, 10)
            proxy.accept()
            await eventually(lambda: len(one.lost_before) == len(other.lost_before) == 2)
            assert known < one.lost_before[1]


async def test_a_node_that_was_away_for_longer_than_is_kept_is_told_so(redis: RedisServer, quick: None, logged: Callable[[], str]):
    async with redis_node(redis) as one, proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as other:
        await say(one, "1")
        await eventually(lambda: other.texts == ["1"])
        proxy.refuse()
        await eventually(lambda: other.state == "away")
        await say(one, "2", "3", "4")
        await one.forget_all_but(2, redis)
        proxy.accept()
        await other.until_reached()
        await eventually(lambda: other.texts == ["1", "3", "4"])
        assert 2 == len(other.lost_before)
        assert other.heard[0].cursor < other.lost_before[1] < other.heard[1].cursor
        assert "are lost to this node" in logged()


async def test_a_node_that_was_away_until_nothing_was_kept_goes_on_from_there(redis: RedisServer, quick: None):
    async with redis_node(redis) as one, proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as other:
        proxy.refuse()
        await eventually(lambda: other.state == "away")
        await say(one, "1", "2")
        await redis.client.delete(stream_of(one.head().split("-")[0]))
        proxy.accept()
        await other.until_reached()
        assert one.head() == other.head() == other.lost_before[1]
        with pytest.raises(GapError):
            await other.read(one.heard[0].cursor, 10)
        assert [] == list(await other.read(one.head(), 10))
