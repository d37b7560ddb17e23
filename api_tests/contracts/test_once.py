"""The contract of what keeps something for a moment, to be taken once; every adapter runs it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from api_tests.redis_server import RedisServer, run_redis
from api_tests.waiting import SOON_S, eventually, eventually_told
from app.cluster import client as clients
from app.cluster.client import make_client
from app.cluster.once import PREFIX, RedisOnce
from app.hub.once import MemoryOnce, Once
from app.kernel.errors import Unavailable


@pytest.fixture(params=["memory", "redis"])
async def several(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[list[Once]]:
    """The same, as two nodes have it."""
    if request.param == "memory":
        yield [MemoryOnce()] * 2
        return
    async with run_redis(tmp_path / "redis") as redis:
        nodes = [make_client(redis.url, name) for name in ("node0001", "node0002")]
        yield [RedisOnce(client) for client in nodes]
        for client in nodes:
            await client.aclose()


async def test_of_all_that_take_it_one_gets_it(several: list[Once]):
    here, there = several
    await here.keep("a", b"\x00value", SOON_S)
    taken = await asyncio.gather(*(node.take("a") for node in (here, there) * 10))
    assert (1, 19) == (taken.count(b"\x00value"), taken.count(None))
    assert await here.take("never kept") is None


async def test_it_is_over_in_its_time(several: list[Once]):
    here, there = several
    await here.keep("a", b"over", 0.02)
    await here.keep("b", b"there", SOON_S)
    until = time.monotonic() + 0.03
    await eventually(lambda: time.monotonic() > until)
    assert [None, b"there"] == [await there.take(name) for name in ("a", "b")]


async def test_what_is_kept_goes_from_redis_by_itself(redis: RedisServer):
    client = make_client(redis.url, "node0001")
    await RedisOnce(client).keep("a", b"over", 0.05)
    assert 0 < await redis.client.pttl(PREFIX + "a") <= 50

    async def is_gone() -> bool:
        return not await redis.client.exists(PREFIX + "a")

    await eventually_told(is_gone)
    await client.aclose()


async def test_where_redis_is_away_it_is_said_and_nothing_is_let_in(redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "ANSWER_S", 0.1)
    client = make_client(redis.url, "node0001")
    once = RedisOnce(client)
    await redis.stop()
    for call in (once.keep("a", b"", 1), once.take("a")):
        with pytest.raises(Unavailable, match="which tickets are good cannot be known at the moment: Redis is away"):
            await call
    await client.aclose()
