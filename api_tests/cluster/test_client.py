"""Clients of Redis: nothing waits for ever, nothing is sent twice."""

import pytest
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooLate

from api_tests.redis_server import RedisServer
from api_tests.waiting import MS
from app.cluster import client as clients
from app.cluster.client import check, make_client, shown, unavailable
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
    assert await check(redis.url) is None
    await redis.client.acl_setuser("guest", enabled=True, nopass=True, commands=["+@all", "-info"], keys=["*"])
    as_guest = redis.url.replace("//", "//guest:sesame@")
    assert await check(as_guest) is None
    monkeypatch.setattr(clients, "MIN_VERSION", (99, 0))
    assert await check(as_guest) is None
    text, passes = await check(redis.url)
    assert (True, False) == ("is too old" in text, passes)
    await redis.stop()
    text, passes = await check(as_guest)
    assert (True, True) == (text.startswith(f"WSX_REDIS_URL: {as_guest.replace('sesame', '***')} cannot be used: "), passes)


async def test_tls_where_there_is_none_is_named(redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "CONNECT_S", 50 * MS)
    text, passes = await check(redis.url.replace("redis:", "rediss:"))
    assert (True, True) == (text.endswith(", or it does not speak TLS there"), passes)


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://:sesame@[::1]:6380/2", "rediss://:***@[::1]:6380/2"),
        ("redis://ada@redis.example", "redis://ada@redis.example"),
        ("redis://ada:se%40same@redis.example/0", "redis://ada:***@redis.example/0"),
        ("unix://ada:sesame@/run/redis.sock?db=2", "unix://ada:***@/run/redis.sock?db=2"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, is_shown: str):
    assert is_shown == shown(url)


async def test_what_it_raises_is_told_as_not_available_now(redis: RedisServer):
    client = make_client(redis.url, "0123abcd")
    await redis.stop()
    with pytest.raises(Unavailable, match="who is connected cannot be known at the moment"), unavailable("who is connected"):
        await client.get("key")
    await client.aclose()
