"""What makes a process one of a cluster: its roster and its lease, or their forms for a node that is alone."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple

from app.cluster.client import make_client
from app.cluster.lease import RedisLease
from app.cluster.roster import RedisRoster
from app.hub.lease import Lease, OwnLease
from app.hub.roster import LoneRoster, Roster
from app.settings import Settings

SCHEDULED = "scheduled"
"""The lease of all that is done once in the cluster, on a clock: it is little, so one node does it all."""


class Member(NamedTuple):
    """A node, built before it starts."""

    roster: Roster
    lease: Lease
    running: Callable[[Callable[[], int]], AbstractAsyncContextManager[None]]
    """Takes part while the block runs. It is given a function that counts the connections of admins here."""


def make_member(settings: Settings, node: str) -> Member:
    """One of a cluster, if there is a Redis where it meets the others."""
    if not settings.redis_url:
        return Member(LoneRoster(node), OwnLease(), lambda _: nullcontext())
    client = make_client(settings.redis_url, node)
    roster = RedisRoster(client, node, grace_s=settings.presence_grace_s, away_s=settings.replay_s)
    lease = RedisLease(client, SCHEDULED)

    @asynccontextmanager
    async def running(count_admins: Callable[[], int]) -> AsyncIterator[None]:
        try:
            async with roster.running(count_admins), lease.running():
                yield
        finally:
            await client.aclose()

    return Member(roster, lease, running)
