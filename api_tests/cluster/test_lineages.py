"""What nodes know of their database: the journal begins anew once, for all of them."""

import pytest

from api_tests.journals import redis_node, say
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.cluster.lineages import RedisLineages
from app.db.lineage import Lineage
from app.journal.port import GapError
from app.kernel.errors import Unavailable

FIRST, OTHER = Lineage("a", 5), Lineage("b", 1)


async def test_what_is_known_is_the_newest_that_was_found(redis: RedisServer) -> None:
    lineages = RedisLineages(redis.client)
    assert await lineages.read() is None
    for progress in (5, 4, 7):
        await lineages.note(Lineage("a", progress))
    assert Lineage("a", 7) == await lineages.read()


async def test_of_another_database_every_node_is_told_that_something_is_lost(redis: RedisServer) -> None:
    lineages = RedisLineages(redis.client)
    async with redis_node(redis) as one, redis_node(redis) as two:
        await lineages.note(FIRST)
        (cursor,) = await say(one, "before")
        for node in (one, two):
            node.lost_before.clear()
        await lineages.begin_anew(OTHER)
        await eventually(lambda: one.lost_before and two.lost_before)
        assert OTHER == await lineages.read()
        assert one.lost_before == two.lost_before > [cursor]
        with pytest.raises(GapError):
            await one.read(cursor, 1)
        await eventually(lambda: "ok" == one.state == two.state)
        await say(one, "after")
        await eventually(lambda: ["before", "after"] == two.texts)


async def test_before_the_first_life_of_the_journal_there_is_none_to_end(redis: RedisServer) -> None:
    lineages = RedisLineages(redis.client)
    await lineages.begin_anew(OTHER)
    assert OTHER == await lineages.read()
    async with redis_node(redis) as node:
        await say(node, "first")
        assert ["first"] == node.texts


async def test_it_says_that_redis_is_away(redis: RedisServer) -> None:
    lineages = RedisLineages(redis.client)
    redis.pause()
    try:
        with pytest.raises(Unavailable, match="which database the journal is of cannot be known"):
            await lineages.read()
    finally:
        redis.resume()


async def test_a_node_that_stops_asks_nothing_more(redis: RedisServer) -> None:
    lineages = RedisLineages(redis.client)
    lineages.stop()
    with pytest.raises(Unavailable, match="this node stops"):
        await lineages.note(FIRST)
