"""Nodes of a cluster in one loop: hubs, without servers, that ask each other over a real Redis."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.cluster.asking import RedisPeers
from app.cluster.client import make_client
from app.cluster.sessions import RedisSessions
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.sessions import SessionIds
from app.journal.memory import MemoryJournal
from app.kernel.deadline import Deadline

KEY = b"the key of the ids of sessions.."


class Node:
    """One of them. `lists`: the nodes that it holds for alive; by itself it knows of none."""

    def __init__(self, redis: RedisServer, name: str, *, url: str = "") -> None:
        self.name = name
        self.lists: set[str] = set()
        self._client, deadline = make_client(url or redis.url, name), Deadline()
        self.sessions = RedisSessions(self._client, 300, deadline)
        self.hub = Hub(MemoryJournal(100), outbox_bytes=65_536, sessions=self.sessions, session_ids=SessionIds(name, KEY))
        self.peers = RedisPeers(self._client, name, deadline, lambda: self.lists)
        self.everywhere = Everywhere(self.hub, self.peers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Node"]:
        try:
            async with self.sessions.running(), self.peers.running():
                yield self
        finally:
            await self._client.aclose()

    @property
    def is_listening(self) -> bool:
        return self.peers._listens.is_set()

    async def listens(self) -> None:
        await eventually(lambda: self.is_listening)


@asynccontextmanager
async def run_nodes(redis: RedisServer, *names: str) -> AsyncIterator[list[Node]]:
    """Running ones, which list each other."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(Node(redis, name).running()) for name in names]
        for node in nodes:
            node.lists.update(names)
        yield nodes
