"""The contract of what keeps sessions; every adapter runs it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api_tests.redis_server import run_redis
from app.cluster.client import make_client
from app.cluster.sessions import RedisSessions
from app.hub.past import Past
from app.hub.sessions import Kept, MemorySessions, Origin, Sessions, Taken
from app.kernel.deadline import Deadline

HERE = "node0001"


@pytest.fixture(params=["memory", "redis"])
async def sessions(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Sessions]:
    if request.param == "memory":
        yield MemorySessions(120)
        return
    async with run_redis(tmp_path / "redis") as redis:
        client = make_client(redis.url, HERE)
        made = RedisSessions(client, 120, Deadline())
        async with made.running():
            yield made
        await client.aclose()


@pytest.fixture(params=["at once", "in a moment"])
def moment(request: pytest.FixtureRequest) -> float:
    """Until it is asked for; what is written behind is written by then."""
    return 0.0 if request.param == "at once" else 0.05


def kept(connection_id: str, user_id: str | None = "ada") -> Kept:
    past = Past((("earlier", "1-2"),), "1-3")
    return Kept(connection_id, user_id, {"lobby": "1-1", "büro": "1-2"}, b"\x00\xff", was_placed=True, past=past)


async def test_a_session_is_taken_once_and_whole(sessions: Sessions, moment: float):
    sessions.keep(kept("a"))
    await asyncio.sleep(moment)
    found = await sessions.take(Origin("a", HERE), "ada")
    assert isinstance(found, Taken)
    assert (kept("a"), None) == (found.kept, found.place)
    assert 0 <= found.age_s < 20
    assert Origin("a", HERE) == await sessions.take(Origin("a", HERE), "ada")


@pytest.mark.parametrize(("owner", "others"), [("ada", ["bob", None, ""]), (None, ["ada", "", "-"])])
async def test_it_is_taken_by_its_own_user_only(sessions: Sessions, moment: float, owner: str | None, others: list[str | None]):
    sessions.keep(kept("a", owner))
    await asyncio.sleep(moment)
    for other in others:
        assert None is await sessions.take(Origin("a", HERE), other)
    assert isinstance(await sessions.take(Origin("a", HERE), owner), Taken)


async def test_of_many_who_come_at_once_one_gets_it(sessions: Sessions, moment: float):
    sessions.keep(kept("a"))
    await asyncio.sleep(moment)
    found = await asyncio.gather(*(sessions.take(Origin("a", HERE), "ada") for _ in range(20)))
    assert 1 == sum(isinstance(one, Taken) for one in found)


async def test_what_is_not_kept_may_be_open_where_it_was(sessions: Sessions):
    assert Origin("a", "node0002") == await sessions.take(Origin("a", "node0002"), "ada")


async def test_the_last_of_the_same_connection_counts(sessions: Sessions, moment: float):
    sessions.keep(kept("a", "bob"))
    await asyncio.sleep(moment)
    sessions.keep(kept("a"))
    await asyncio.sleep(moment)
    assert isinstance(await sessions.take(Origin("a", HERE), "ada"), Taken)
