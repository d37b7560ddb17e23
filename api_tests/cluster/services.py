"""Nodes of a cluster in one loop, with what their features keep: without servers, on one Redis and one database."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest
from msgspec.structs import replace

from api_tests.hub.recording import PLAIN, Tab, tab
from api_tests.waiting import eventually
from app.cluster.journal import make_journal
from app.cluster.member import make_member
from app.db.session import Database
from app.features import announcements, messages, notifications, rooms, tokens
from app.features.announcements import service as announcements_service
from app.features.announcements.model import AnnouncementRow, new
from app.features.feature import Feature
from app.features.follows import StoredFollows
from app.features.notifications.service import notify
from app.features.services import Services
from app.features.unsent import Unsent
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.roster import Condition
from app.hub.sessions import SessionIds
from app.kernel.deadline import Deadline
from app.main import make_tokens
from app.settings import Settings
from app.wire.dialect import Dialect

FEATURES: Sequence[Feature] = [announcements.FEATURE, messages.FEATURE, notifications.FEATURE, rooms.FEATURE, tokens.FEATURE]


NEWS: Mapping[str, Any] = MappingProxyType({"title": "News", "priority": "high", "author": "test"})


class Node:
    """One of them."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.hub = services.hub
        self.told: list[str] = []
        """`+ada lobby` and `-ada lobby`: visits that began and ended, as this node told its listeners."""
        for sign, name in (("+", "room.joined"), ("-", "room.left")):
            self.hub.events.on(name, lambda visit, sign=sign: self.told.append(f"{sign}{visit.user.id} {visit.room_id}"))

    def tab(self, user_id: str, *roles: str, form: Dialect = PLAIN) -> Tab:
        return tab(self.hub, user_id, *roles, form=form)

    async def announce(self, message: str, **how: Any) -> AnnouncementRow:
        """Store and show an announcement, to everyone signed in unless `how` says otherwise."""
        return (await announcements_service.announce(self.services, new(message=message, **NEWS, **how))).row

    def close(self, page: Tab) -> None:
        page.sink.abort()
        self.hub.disconnect(page.connection, 1001, "")

    async def knows(self, *user_ids: str) -> None:
        """Wait until just these are known to be connected to other nodes."""
        await eventually(lambda: self.hub.roster.elsewhere({"ada", "bob", "cleo"}) == set(user_ids))

    async def nothing_waits(self) -> None:
        """Wait until whoever has come to this node before was looked up: a probe that comes now is, too."""
        await notify(self.services, user_ids=["cleo"], kind="info", title="Probe", message="x")
        probe = self.tab("cleo")
        await eventually(lambda: probe.heard)
        self.close(probe)

    async def heard(self, other: "Node") -> None:
        """Wait until this one has delivered what the other one has."""
        await eventually(lambda: self.hub.journal.head() >= other.hub.journal.head())


class Held:
    """The pushes of one node wait for the test, from after their commit on."""

    def __init__(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        self.came, self.may_go_on = asyncio.Event(), asyncio.Event()
        publish = Hub.publish

        async def hold(hub: Hub, publication: Any) -> Any:
            if hub is node.hub:
                self.came.set()
                await self.may_go_on.wait()
            return await publish(hub, publication)

        monkeypatch.setattr(Hub, "publish", hold)


@asynccontextmanager
async def run_services(settings: Settings, redis_url: str, *names: str) -> AsyncIterator[list[Node]]:
    """Running ones."""
    settings = replace(settings, redis_url=redis_url)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_run(settings, name)) for name in names]


@asynccontextmanager
async def _run(settings: Settings, name: str) -> AsyncIterator[Node]:
    database = Database(settings.database_url)
    deadline = Deadline()
    member = make_member(settings, name, deadline)
    hub = Hub(
        make_journal(settings, name, deadline),
        outbox_bytes=settings.outbox_bytes,
        presence_grace_s=settings.presence_grace_s,
        follows=StoredFollows(database),
        sessions=member.sessions,
        session_ids=SessionIds(name, settings.token_secret.encode()[:32]),
        roster=member.roster,
    )
    services = Services(
        settings, database, hub, make_tokens(settings), everywhere=Everywhere(hub, member.peers), lease=member.lease
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await stack.enter_async_context(hub.journal.running())
        stack.callback(hub.stop)
        await stack.enter_async_context(services.of(Unsent).running({}))
        for feature in FEATURES:
            await stack.enter_async_context(feature.running(services))
        await stack.enter_async_context(member.running(Condition))
        yield Node(services)
        hub.presence.stop()
