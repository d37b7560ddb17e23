"""Announcements whose time is over while another node edits them, or shows them late: all screens show what is in force."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from api_tests.cluster.services import Node, run_services
from api_tests.cluster.test_boards import Held, shows
from api_tests.hub.recording import Tab
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.features import timetable
from app.features.announcements import service
from app.features.announcements.service import Schedule
from app.features.services import Services
from app.hub.lease import Owner
from app.kernel.clock import utc_now
from app.settings import Settings

MOMENT = timedelta(seconds=0.4)
LONG = timedelta(hours=1)


class Times(msgspec.Struct):
    """What an edit changes."""

    expires_at: datetime


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Node]]:
    """The first one has the lease. They look often what is over."""
    monkeypatch.setattr(timetable, "LONGEST_SLEEP_S", 20 * MS)
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as two:
        await eventually(lambda: {Owner.HERE, Owner.ELSEWHERE} == {node.services.lease.owner for node in two})
        yield sorted(two, key=lambda node: node.services.lease.owner is not Owner.HERE)


@pytest.fixture
def live(nodes: list[Node]) -> list[Tab]:
    return [node.tab("ada") for node in nodes]


async def is_over(node: Node, expires_at: datetime) -> None:
    """Wait until the node has taken down what it was to take down by then."""
    await eventually(lambda: node.services.of(Schedule)._expired_until > expires_at)


async def all_show(nodes: list[Node], live: list[Tab], *texts: str) -> None:
    for node, other in (nodes, nodes[::-1]):
        await node.heard(other)
    for page in (*live, *(node.tab("cleo") for node in nodes)):
        await shows(page, *texts)


async def test_one_that_is_given_more_time_while_it_is_taken_down_is_on_every_screen(
    nodes: list[Node], live: list[Tab], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    made = await a.announce("x", expires_at=utc_now() + MOMENT)
    await b.heard(a)
    held = Held(a, monkeypatch)
    await eventually(lambda: made.id not in a.services.of(service.Board)._posted)
    await service.edit(b.services, made.id, Times(utc_now() + LONG))
    held.may_go_on.set()
    await is_over(a, made.expires_at)
    await all_show(nodes, live, "x")


async def test_one_whose_edit_began_before_its_time_was_over_is_on_every_screen(
    nodes: list[Node], live: list[Tab], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    made = await a.announce("x", expires_at=utc_now() + MOMENT)
    await b.heard(a)
    settle, has_changed, may_go_on = service.settled_audience, asyncio.Event(), asyncio.Event()

    async def hold(services: Services, row: Any) -> Any:
        if services is b.services:
            has_changed.set()
            await may_go_on.wait()
        return await settle(services, row)

    monkeypatch.setattr(service, "settled_audience", hold)
    editing = asyncio.create_task(service.edit(b.services, made.id, Times(utc_now() + LONG)))
    await has_changed.wait()
    await is_over(a, made.expires_at)
    may_go_on.set()
    await editing
    await all_show(nodes, live, "x")


async def test_one_that_is_shown_so_late_that_its_time_is_over_is_on_no_screen(
    nodes: list[Node], live: list[Tab], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    expires_at = utc_now() + MOMENT
    held = Held(b, monkeypatch)
    announcing = asyncio.create_task(b.announce("x", expires_at=expires_at))
    await held.came.wait()
    await is_over(a, expires_at)
    held.may_go_on.set()
    await announcing
    await all_show(nodes, live)


async def test_one_that_another_node_has_given_an_end_by_then_is_on_no_screen(
    nodes: list[Node], live: list[Tab], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    held = Held(b, monkeypatch)
    announcing = asyncio.create_task(b.announce("x"))
    await held.came.wait()
    async with b.services.database.reading() as session:
        (made,) = await service.store.newest_in_force(session, utc_now(), 1)
    expires_at = utc_now() + MOMENT
    await service.edit(a.services, made.id, Times(expires_at))
    await shows(live[0], "x")
    await is_over(a, expires_at)
    held.may_go_on.set()
    await announcing
    await all_show(nodes, live)
