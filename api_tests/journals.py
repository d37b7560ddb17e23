"""The journal of one node of a cluster, as tests make it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api_tests.redis_server import RedisServer
from app.cluster.client import make_client
from app.journal.port import Entry
from app.journal.redis import LOOK_EVERY_S, RedisJournal
from app.journal.scripts import stream_of
from app.kernel.deadline import Deadline


class RedisNode(RedisJournal):
    """Remembers what its followers were called with, and where they were told that something is lost."""

    def __init__(self, url: str) -> None:
        commands, follower = (make_client(url, "0123abcd", waits_s=waits_s) for waits_s in (0.0, LOOK_EVERY_S))
        super().__init__(commands, follower, Deadline(), max_entries=1_000, max_age_s=300)
        self.heard: list[Entry] = []
        self.lost_before: list[str] = []
        self.follow(self.heard.append, lost=lambda: self.lost_before.append(self.head()))

    @property
    def texts(self) -> list[str]:
        return [entry.payload.decode() for entry in self.heard]

    @property
    def state(self) -> str:
        return self.health().state

    async def forget_all_but(self, count: int, redis: RedisServer) -> None:
        """As if so many had come that only these are kept, here and in Redis."""
        self._ring = self._new_ring()
        await redis.client.xtrim(stream_of(self._place.epoch), maxlen=count, approximate=False)


@asynccontextmanager
async def redis_node(redis: RedisServer | None = None, *, url: str = "") -> AsyncIterator[RedisNode]:
    node = RedisNode(url or redis.url)
    async with node.running():
        yield node


async def say(node: RedisNode, *texts: str) -> list[str]:
    return [await node.append(text.encode()) for text in texts]
