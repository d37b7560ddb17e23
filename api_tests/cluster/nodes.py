"""Nodes of a cluster in the loop of the test: a hub each, with a roster in the same Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from api_tests.hub.recording import Tab, tab
from api_tests.waiting import eventually
from app.cluster.client import make_client
from app.cluster.roster import RedisRoster
from app.hub.hub import Hub
from app.hub.roster import Condition
from app.journal.memory import MemoryJournal
from app.kernel.deadline import Deadline


class Node:
    """One node, and what it has told."""

    def __init__(self, hub: Hub, roster: RedisRoster, told: list[str]) -> None:
        self.hub = hub
        self.roster = roster
        self.told = told
        self.clerk = roster._clerk
        self.has_database = True

    def tab(self, user_id: str, *roles: str) -> Tab:
        return tab(self.hub, user_id, *roles)

    def close(self, page: Tab) -> None:
        self.hub.disconnect(page.connection, 1001, "")

    async def knows(self, *user_ids: str) -> None:
        """Wait until just these users are known to be connected elsewhere."""
        await eventually(lambda: set(user_ids) == self.roster._replica._on.keys())

    async def has_said_all(self) -> None:
        """Wait until Redis knows all that has changed here."""
        await eventually(lambda: not self.roster._ledger.has_changed)


class Cluster:
    """Its nodes share `told`: `+ada`, `-ada`, in the order in which it was told, whichever node told it."""

    def __init__(self, url: str, grace_s: float) -> None:
        self.url = url
        self.told: list[str] = []
        self._grace_s = grace_s

    @asynccontextmanager
    async def node(
        self, name: str, *, url: str = "", is_killed: bool = False, fingerprint: str = "the same"
    ) -> AsyncIterator[Node]:
        """A node that leaves at the end of the block, or is killed there."""
        client = make_client(url or self.url, name)
        roster = RedisRoster(client, name, Deadline(), grace_s=self._grace_s, away_s=300.0)
        hub = Hub(MemoryJournal(100), outbox_bytes=65_536, presence_grace_s=self._grace_s, roster=roster)
        hub.events.on("user.online", lambda user: self.told.append(f"+{user.id}"))
        hub.events.on("user.offline", lambda user: self.told.append(f"-{user.id}"))
        node = Node(hub, roster, self.told)

        def condition() -> Condition:
            admins = sum(one.user is not None and one.user.is_admin for one in hub.registry)
            return Condition(admins, node.has_database, fingerprint)

        leaving = patch.object(node.clerk, "leave", _nothing) if is_killed else nullcontext()
        try:
            with leaving:
                async with roster.running(condition):
                    yield node
                    hub.presence.stop()
        finally:
            hub.stop()
            await client.aclose()


async def told(cluster: Cluster, *what: str) -> None:
    """Just this was told, in this order."""
    await eventually(lambda: len(cluster.told) >= len(what))
    assert list(what) == cluster.told


async def _nothing(*_: Any) -> None:
    pass
