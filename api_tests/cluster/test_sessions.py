"""Sessions in Redis: written behind, found from every node, bounded, and not held up by a Redis that is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import RedisError

from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, SOON_S, eventually
from app.cluster import client as clients
from app.cluster import sessions as module
from app.cluster.client import make_client
from app.cluster.sessions import PREFIX, RedisSessions
from app.hub.sessions import Kept, Origin, Taken
from app.kernel.deadline import Deadline

HERE, THERE = "node0001", "node0002"


def kept(connection_id: str, notes: bytes = b"") -> Kept:
    return Kept(connection_id, "ada", {}, notes)


@asynccontextmanager
async def running(redis: RedisServer, node: str = HERE, *, keep_s: float = 120, **how: int) -> AsyncIterator[RedisSessions]:
    client = make_client(redis.url, node)
    sessions = RedisSessions(client, keep_s, Deadline(), **how)
    async with sessions.running():
        yield sessions
    await client.aclose()


@pytest.fixture
async def here(redis: RedisServer) -> AsyncIterator[RedisSessions]:
    async with running(redis) as sessions:
        yield sessions


@pytest.fixture
async def there(redis: RedisServer) -> AsyncIterator[RedisSessions]:
    async with running(redis, THERE) as sessions:
        yield sessions


async def written(*nodes: RedisSessions) -> None:
    await eventually(lambda: not any(node._due for node in nodes))


async def names(redis: RedisServer) -> set[str]:
    """What is in Redis."""
    return {key.decode().removeprefix(PREFIX) for key in await redis.client.keys("*")}


async def take(sessions: RedisSessions, connection_id: str, node: str = HERE) -> str | Origin | None:
    found = await sessions.take(Origin(connection_id, node), "ada")
    return found.kept.connection_id if isinstance(found, Taken) else found


async def test_what_one_node_kept_is_taken_by_another_once(here: RedisSessions, there: RedisSessions):
    here.keep(kept("a"))
    await written(here)
    found = await asyncio.gather(*(take(sessions, "a") for sessions in (here, there) * 10))
    assert (1, 19) == (found.count("a"), found.count(Origin("a", HERE)))


async def test_it_goes_by_itself_when_its_time_is_over(redis: RedisServer):
    async with running(redis, keep_s=0.2) as sessions:
        sessions.keep(kept("a"))
        await written(sessions)
        async with asyncio.timeout(SOON_S):
            while await names(redis):
                pass
        assert Origin("a", HERE) == await take(sessions, "a")


async def test_who_took_over_is_found_from_every_node_however_often(here: RedisSessions, there: RedisSessions):
    here.pass_on("a", Origin("b", THERE))
    assert Origin("b", THERE) == await take(here, "a")
    there.pass_on("b", Origin("c", HERE))
    await written(here, there)
    assert Origin("c", HERE) == await take(there, "a")
    here.keep(kept("c"))
    await written(here)
    assert "c" == await take(there, "a")
    assert Origin("c", HERE) == await take(there, "a")


async def test_a_circle_of_heirs_is_left(here: RedisSessions):
    here.pass_on("a", Origin("b", HERE))
    here.pass_on("b", Origin("a", HERE))
    assert isinstance(await take(here, "a"), Origin)
    await written(here)
    assert isinstance(await take(here, "a"), Origin)


async def test_what_is_taken_before_it_was_written_is_not_written(redis: RedisServer, here: RedisSessions):
    here.keep(kept("a"))
    here.keep(kept("b"))
    assert "a" == await take(here, "a")
    await written(here)
    assert {"b"} == await names(redis)


async def test_what_is_taken_while_it_is_written_is_removed_again(redis: RedisServer, here: RedisSessions):
    await redis.client.ping()
    redis.pause()
    here.keep(kept("a"))
    await eventually(lambda: here._writing)
    assert "a" == await take(here, "a")
    redis.resume()
    await written(here)
    assert set() == await names(redis)


async def test_who_took_over_from_what_was_being_written_is_found_all_the_same(
    redis: RedisServer, here: RedisSessions, there: RedisSessions
):
    await redis.client.ping()
    redis.pause()
    here.keep(kept("a"))
    await eventually(lambda: here._writing)
    assert "a" == await take(here, "a")
    there.pass_on("a", Origin("b", THERE))
    redis.resume()
    await written(there)
    assert Origin("b", THERE) == await take(here, "a")
    await written(here)
    assert Origin("b", THERE) == await take(here, "a")


async def test_what_is_written_behind_its_heir_does_not_cover_it(here: RedisSessions, there: RedisSessions):
    there.pass_on("a", Origin("b", THERE))
    await written(there)
    here.keep(kept("a"))
    await written(here)
    assert Origin("b", THERE) == await take(there, "a")


async def test_no_more_than_so_many_bytes_of_one_node_are_kept_and_the_oldest_go(redis: RedisServer):
    async with running(redis, max_bytes=1_000) as sessions:
        for number in range(5):
            sessions.keep(kept(str(number), b"x" * 300))
        assert (3, 900) == (len(sessions._kept), sessions._bytes)
        await written(sessions)
        assert {"2", "3", "4"} == await names(redis)
        sessions.keep(kept("5", b"x" * 300))
        await written(sessions)
        assert {"3", "4", "5"} == await names(redis)


async def test_what_is_over_is_not_counted_any_more(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, here: RedisSessions):
    here.keep(kept("a", b"x" * 100))
    await written(here)
    later = module.monotonic() + 121
    monkeypatch.setattr(module, "monotonic", lambda: later)
    here.keep(kept("b"))
    assert ({"b"}, 0) == (set(here._kept), here._bytes)


async def test_while_redis_is_away_its_own_node_still_finds_it_and_it_is_written_later(
    redis: RedisServer, here: RedisSessions, there: RedisSessions, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(module, "RETRY_S", 10 * MS)
    await redis.stop()
    for name in "ab":
        here.keep(kept(name))
    await eventually(lambda: "Redis is away" in logged())
    assert "a" == await take(here, "a")
    with pytest.raises(RedisError):
        await take(there, "b")
    await redis.start()
    await written(here)
    assert "b" == await take(there, "b")


async def test_a_redis_that_hangs_costs_who_comes_back_a_bounded_time(redis: RedisServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "ANSWER_S", 100 * MS)
    async with running(redis) as sessions:
        assert Origin("a", HERE) == await take(sessions, "a")
        redis.pause()
        with pytest.raises(RedisError):
            await take(sessions, "a")
        redis.resume()


async def test_what_waits_for_redis_is_bounded(redis: RedisServer, here: RedisSessions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_DUE", 3)
    await redis.stop()
    for number in range(9):
        here.pass_on(str(number), Origin("x", THERE))
    assert ["6", "7", "8"] == list(here._due)


async def test_a_redis_that_is_back_empty_has_no_sessions_and_takes_new_ones(redis: RedisServer, here: RedisSessions):
    here.keep(kept("a"))
    await written(here)
    await redis.restart_empty()
    assert Origin("a", HERE) == await take(here, "a")
    here.keep(kept("b"))
    await written(here)
    assert {"b"} == await names(redis)


async def test_what_waits_is_written_before_the_end(redis: RedisServer):
    async with running(redis) as sessions:
        for number in range(3):
            sessions.keep(kept(str(number)))
    assert {"0", "1", "2"} == await names(redis)


async def test_an_end_without_redis_is_not_held_up_and_says_what_is_lost(redis: RedisServer, logged: Callable[[], str]):
    async with running(redis) as sessions:
        await redis.stop()
        sessions.keep(kept("a"))
    assert "sessions are lost" in logged()


async def test_whatever_ends_the_writing_is_logged_and_it_goes_on(
    here: RedisSessions, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(module, "RETRY_S", 10 * MS)
    monkeypatch.setattr(module, "_written", broken := Broken(module._written))
    here.keep(kept("b"))
    await eventually(lambda: "sessions are not written" in logged())
    broken.is_broken = False
    await written(here)
    assert "b" == await take(here, "b")


class Broken:
    """Raises, until it is mended."""

    def __init__(self, real: Callable[..., bytes | None]) -> None:
        self.is_broken = True
        self._real = real

    def __call__(self, *what: object) -> bytes | None:
        if self.is_broken:
            raise RuntimeError("broken")
        return self._real(*what)
