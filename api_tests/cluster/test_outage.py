"""What the log says of a Redis that is away: of each piece of work once that it began, and once that it is over."""

from collections.abc import Callable

import pytest

from api_tests.cluster.asked import Node, run_nodes
from api_tests.cluster.nodes import Cluster
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.cluster import asking, lasting, sessions
from app.hub.sessions import Kept

OUTAGES = 2
WORK = {"questions of other nodes", "roster", "roster: what other nodes say", "sessions"}


class Tries:
    """Counts the calls of a method of this object, which are made all the same."""

    def __init__(self, owner: object, name: str) -> None:
        self.count = 0
        self._real = getattr(owner, name)
        setattr(owner, name, self)

    async def __call__(self) -> None:
        self.count += 1
        await self._real()


async def told_by(node: Node, redis: RedisServer, said: Callable[[], str]) -> None:
    """Redis is away, until each has tried it several times, and comes back."""
    tries = [Tries(node.sessions, "_write"), Tries(node.peers, "_listen")]
    await redis.stop()
    node.sessions.keep(Kept("gone", None, {}, b""))
    await eventually(lambda: min(one.count for one in tries) >= 4)
    await eventually(lambda: all(f'"what":"{work}"' in said() for work in WORK))
    await redis.start()


async def test_an_outage_is_told_once_and_that_it_is_over_once_and_so_is_the_next(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    for module in (asking, lasting, sessions):
        monkeypatch.setattr(module, "RETRY_S", 5 * MS)
    lines: list[str] = []

    def said() -> str:
        lines.extend(logged().splitlines())
        return "\n".join(lines)

    async with run_nodes(redis, "a") as (node,), Cluster(redis.url, 10.0).node("b"):
        for _ in range(OUTAGES):
            lines.clear()
            await told_by(node, redis, said)
            await eventually(lambda: said().count("Redis is back") == len(WORK))
            for work in WORK:
                about = [line for line in lines if f'"what":"{work}"' in line]
                assert ["Redis is away", "Redis is back"] == [line.split('"event":"')[1].split('"')[0] for line in about]
            assert not [line for line in lines if '"level":"warning"' in line and "Redis is away" not in line]
