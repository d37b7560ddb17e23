"""The journal in Redis, when something else happens while it asks: connections end, lives change, entries come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from api_tests.journals import RedisNode, redis_node, say
from api_tests.proxy import proxy_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.journal import redis as journals
from app.journal.port import Entry, GapError
from app.kernel.errors import Unavailable


def between(node: RedisNode, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen between the answer of Redis to a read and its use."""
    read_stream = node._read_stream

    async def read(after: str, number: int, epoch: str, limit: int) -> Sequence[Entry]:
        found = await read_stream(after, number, epoch, limit)
        await happens()
        return found

    monkeypatch.setattr(node, "_read_stream", read)


@pytest.mark.parametrize("is_back", [True, False])
async def test_an_answer_that_is_cut_off_is_of_unknown_outcome_and_all_goes_on_as_soon_as_redis_can_be_reached(
    redis: RedisServer, quick: None, is_back: bool
):
    async with redis_node(redis) as other, proxy_to(redis.port) as proxy, redis_node(url=proxy.url) as node:
        await say(node, "before")
        proxy.hold_answers()
        appending = asyncio.create_task(node.append(b"perhaps"))
        await eventually(lambda: other.texts == ["before", "perhaps"])
        proxy.cut() if is_back else proxy.refuse()
        proxy.release_answers()
        with pytest.raises(Unavailable, match="not known whether it was published"):
            await appending
        proxy.accept()
        await eventually(lambda: node.texts == ["before", "perhaps"])


async def test_nothing_is_appended_to_a_life_that_this_node_does_not_know_yet(
    nodes: tuple[RedisNode, RedisNode], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    async def looks_away() -> None:
        """It does not notice by itself."""

    one, _ = nodes
    await say(one, "1")
    with monkeypatch.context() as slow:
        slow.setattr(one, "_look", looks_away)
        await redis.client.flushall()
        with pytest.raises(Unavailable, match="nothing was published"):
            await one.append(b"lost")
    await eventually(lambda: len(one.lost_before) == 2)
    await one.until_reached()
    await say(one, "2")
    assert ["1", "2"] == one.texts


async def test_a_node_that_does_not_come_to_a_cursor_in_time_does_not_know_what_follows(
    nodes: tuple[RedisNode, RedisNode], monkeypatch: pytest.MonkeyPatch
):
    one, other = nodes
    other.follow(lambda _: None, until_ready=asyncio.Event().wait)
    (cursor,) = await say(one, "1")
    monkeypatch.setattr(journals, "ANSWER_S", 50 * MS)
    with pytest.raises(Unavailable, match="what was published is not known"):
        await other.read(cursor, 10)


async def test_a_life_that_ends_while_it_is_read_is_a_gap(redis: RedisServer, quick: None, monkeypatch: pytest.MonkeyPatch):
    async with redis_node(redis) as before:
        (cursor,) = await say(before, "1")
        await say(before, "2")
    async with redis_node(redis) as node:

        async def emptied() -> None:
            await redis.client.flushall()
            await eventually(lambda: len(node.lost_before) == 2)

        between(node, monkeypatch, emptied)
        with pytest.raises(GapError):
            await node.read(cursor, 10)


async def test_what_comes_while_redis_is_asked_is_read_too(nodes: tuple[RedisNode, RedisNode], monkeypatch: pytest.MonkeyPatch):
    one, other = nodes
    held = asyncio.Event()
    other.follow(lambda _: None, until_ready=held.wait)
    (cursor,) = await say(one, "1")

    async def another() -> None:
        await say(one, "2")
        held.set()
        await eventually(lambda: other.texts == ["1", "2"])

    between(other, monkeypatch, another)
    assert [b"2"] == [entry.payload for entry in await other.read(cursor, 10)]


async def test_a_clock_of_redis_that_jumped_forward_costs_one_more_step_and_nothing_is_lost(redis: RedisServer):
    async with redis_node(redis) as node:
        node._lag.heard(node._lag.now_us() - 60_000_000)  # as far as this node knows, it is a minute earlier there
        await say(node, "1")
        assert ["1"] == node.texts
        assert "ok" == node.state
