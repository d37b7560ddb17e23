"""The contract of a roster, on each of its adapters, for a node that no other has joined yet."""

from collections.abc import AsyncIterator

import pytest

from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.cluster.client import make_client
from app.cluster.roster import RedisRoster
from app.hub.roster import Condition, Listener, LoneRoster, Roster
from app.kernel.clock import utc_now
from app.kernel.deadline import Deadline
from app.kernel.identity import User

ADA = User("ada", "Ada")


@pytest.fixture(params=["alone", "redis"])
async def roster(request: pytest.FixtureRequest, redis: RedisServer) -> AsyncIterator[Roster]:
    if request.param == "alone":
        yield LoneRoster("a")
        return
    client = make_client(redis.url, "a")
    made = RedisRoster(client, "a", Deadline(), grace_s=10.0, away_s=300.0)
    made.listen(Listener(bool, bool, bool))
    async with made.running(Condition):
        yield made
    await client.aclose()


def told_by(roster: Roster) -> list[str]:
    told: list[str] = []
    listener = Listener(lambda user: told.append(f"+{user.id}"), lambda user: told.append(f"-{user.id}"), bool)
    if isinstance(roster, RedisRoster):
        roster._clerk._listener = listener
    else:
        roster.listen(listener)
    return told


async def test_coming_and_going_are_told_once_and_what_is_between_is_not(roster: Roster) -> None:
    told = told_by(roster)
    for number in (1, 2):
        roster.came(ADA)
        roster.has(ADA, 2)
        roster.has(ADA, 0, utc_now())
        await eventually(lambda number=number: ["+ada", "-ada"] * (number - 1) + ["+ada"] == told)
        roster.gone(ADA)
        await eventually(lambda number=number: ["+ada", "-ada"] * number == told)


async def test_nobody_is_elsewhere(roster: Roster) -> None:
    told_by(roster)
    roster.came(ADA)
    assert ("a", ["a"], False, 0, 0, False) == (
        roster.node,
        list(roster.nodes),
        roster.is_stale,
        roster.users_elsewhere,
        roster.admins_elsewhere,
        roster.has_database_elsewhere,
    )
    assert (0, False, None) == (
        roster.connections_elsewhere("ada"),
        roster.is_online_elsewhere("ada"),
        roster.absent_elsewhere_since("ada"),
    )
    assert 0 == roster.online_besides({"bob"})
    assert (set(), set()) == (roster.elsewhere({"ada", "bob"}), roster.may_be_elsewhere({"ada", "bob"}))
