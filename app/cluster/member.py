"""What makes a process one of a cluster: what it shares with the others, or the forms of that for a node that is alone."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple

from app.cluster.asking import RedisPeers
from app.cluster.client import GOODBYES_S, make_client
from app.cluster.lease import RedisLease
from app.cluster.lineages import RedisLineages
from app.cluster.once import RedisOnce
from app.cluster.roster import RedisRoster
from app.cluster.sessions import RedisSessions
from app.db.lineage import Lineages, OwnLineages
from app.hub.lease import Lease, OwnLease
from app.hub.once import MemoryOnce, Once
from app.hub.peers import Alone, Peers
from app.hub.roster import Condition, LoneRoster, Roster
from app.hub.sessions import RESTORED_WITHIN_S, MemorySessions, Sessions
from app.kernel.deadline import Deadline
from app.settings import Settings

SCHEDULED = "scheduled"
"""The lease of all that is done once in the cluster, on a clock: it is little, so one node does it all."""


class Member(NamedTuple):
    """A node, built before it starts."""

    roster: Roster
    lease: Lease
    sessions: Sessions
    peers: Peers
    once: Once
    lineages: Lineages
    running: Callable[[Callable[[], Condition]], AbstractAsyncContextManager[None]]
    """Takes part while the block runs. It is given a function that says in what condition this node is."""


def make_member(settings: Settings, node: str, deadline: Deadline) -> Member:
    """One of a cluster, if there is a Redis where it meets the others. Its end sets the deadline of all that waits for Redis."""
    keep_s = max(settings.replay_s, RESTORED_WITHIN_S)
    if not settings.redis_url:
        alone = LoneRoster(node), OwnLease(), MemorySessions(keep_s), Alone(node), MemoryOnce(), OwnLineages()
        return Member(*alone, lambda _: nullcontext())
    client = make_client(settings.redis_url, node)
    roster = RedisRoster(client, node, deadline, grace_s=settings.presence_grace_s, away_s=settings.replay_s)
    lease = RedisLease(client, SCHEDULED, deadline)
    sessions = RedisSessions(client, keep_s, deadline)
    lineages = RedisLineages(client)
    peers = RedisPeers(client, node, deadline, lambda: roster.nodes)

    @asynccontextmanager
    async def running(condition: Callable[[], Condition]) -> AsyncIterator[None]:
        try:
            async with sessions.running(), peers.running(), roster.running(condition), lease.running():
                try:
                    yield
                finally:
                    deadline.set(GOODBYES_S)
        finally:
            lineages.stop()
            await client.aclose()

    return Member(roster, lease, sessions, peers, RedisOnce(client), lineages, running)
