"""Clients of Redis: nothing waits for ever, nothing is sent twice."""

import pytest
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooLate

from api_tests.redis_server import RedisServer
from api_tests.waiting import MS
from app.cluster import client as clients
from app.cluster.client import check, make_client, unavailable
from app.kernel.errors import Unavailable


async def test_it_is_known_in_redis_by_its_node_and_answers_in_bytes(redis: RedisServer):
    client = make_client(redis.url, "0123abcd")
    await client.set("key", "value")
    assert b"value" == await client.get("key")
    assert "wsx-0123abcd" in [one["name"] for one in await redis.client.client_list()]
    await client.aclose()


async def test_a_redis_that_does_not_answer_costs_its_caller_so_many_seconds_and_the_command_is_sent_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clients, "ANSWER_S", 50 * MS)
    client = make_client(redis.url, "0123abcd")
    await client.ping()
    redis.pause()
    with pytest.raises(TooLate):
        await client.incr("count")
    redis.resume()
    assert b"1" == await redis.client.get("count")
    await client.aclose()


async def test_its_connections_are_made_anew_when_redis_is_back(redis: RedisServer):
    client = make_client(redis.url, "0123abcd")
    await client.set("key", "value")
    await redis.stop()
    with pytest.raises(RedisError):
        await client.get("key")
    await redis.start()
    assert b"value" == await client.get("key")
    await redis.restart_empty()
    assert None is await client.get("key")
    await client.aclose()


async def test_one_that_can_be_used_is_told_from_one_that_is_not_there_or_too_old(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    assert not await check(redis.url)
    monkeypatch.setattr(clients, "MIN_VERSION", (99, 0))
    assert "is too old" in await check(redis.url)
    await redis.stop()
    assert (await check(redis.url)).startswith("Redis cannot be used: ")


async def test_what_it_raises_is_told_as_not_available_now(redis: RedisServer):
    client = make_client(redis.url, "0123abcd")
    await redis.stop()
    with pytest.raises(Unavailable, match="who is connected cannot be known at the moment"), unavailable("who is connected"):
        await client.get("key")
    await client.aclose()
