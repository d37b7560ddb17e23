"""The boards of two nodes: a page is shown each announcement once, as it is, whatever meets on its way and whatever is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from api_tests.cluster.services import Held, Node, run_services
from api_tests.features.screen import Screen
from api_tests.hub.recording import V1, Tab
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.features.announcements import service
from app.features.announcements.board import Board
from app.features.announcements.model import AnnouncementRow
from app.features.follows import store as follows_store
from app.features.unsent import Again
from app.features.users import ensure_users
from app.hub.audience import followers_of
from app.hub.hub import Hub
from app.kernel.clock import utc_now
from app.settings import Settings


class _Message(msgspec.Struct):
    """What an edit changes."""

    message: str


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings) -> AsyncIterator[list[Node]]:
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as two:
        yield two


def seen(page: Tab) -> list[str]:
    """What the page's list shows, from top to bottom."""
    screen = Screen("#announcements")
    for message in page.sink.messages:
        screen.apply(message)
    return screen.texts


async def shows(page: Tab, *texts: str) -> None:
    await eventually(lambda: seen(page) == list(texts))


# -- what meets -----------------------------------------------------------------------------------------------------------
async def test_whoever_connects_while_it_is_published_is_shown_it_once_on_each_node(nodes: list[Node]):
    pages: list[Tab] = []
    over = asyncio.Event()

    async def connect(node: Node) -> None:
        while not over.is_set():
            pages.append(node.tab("ada", form=V1))
            await asyncio.sleep(0)

    connecting = [asyncio.create_task(connect(node)) for node in nodes]
    try:
        for number in range(5):
            await nodes[number % 2].announce(str(number))
    finally:
        over.set()
        await asyncio.gather(*connecting)
    for node, other in (nodes, nodes[::-1]):
        await node.heard(other)
        await node.hub.delivery.writing.until_written()
    assert {tuple(seen(page)) for page in pages} == {("4", "3", "2", "1", "0")}


@pytest.mark.parametrize("is_recalled", [True, False])
async def test_one_that_the_other_node_changed_before_it_was_shown_is_never_shown_as_it_was(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch, is_recalled: bool
):
    a, b = nodes
    live = [node.tab("ada") for node in nodes]
    held = Held(a, monkeypatch)
    announcing = asyncio.create_task(a.announce("as it was"))
    await held.came.wait()
    (made,) = await _rows(b)
    if is_recalled:
        await service.recall(b.services, made.id)
    else:
        await service.edit(b.services, made.id, _Message("as it is"))
    meanwhile = b.tab("ada")
    held.may_go_on.set()
    await announcing
    await b.heard(a)
    expected = [] if is_recalled else ["as it is"]
    for page in (*live, meanwhile, a.tab("ada"), b.tab("ada")):
        await shows(page, *expected)
        assert "as it was" not in str(page.heard)


async def test_of_two_edits_on_two_nodes_the_later_one_counts_in_whichever_order_they_are_told(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    made = await a.announce("first")
    await b.heard(a)
    live = [node.tab("ada") for node in nodes]
    held = Held(a, monkeypatch)
    editing = asyncio.create_task(service.edit(a.services, made.id, _Message("second")))
    await held.came.wait()
    await service.edit(b.services, made.id, _Message("third"))
    held.may_go_on.set()
    await editing
    await b.heard(a)
    for page in (*live, a.tab("ada"), b.tab("ada")):
        await shows(page, "third")


async def test_a_follower_who_comes_before_the_followers_are_looked_up_is_shown_it_then(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    known, looked_up, may_go_on = Hub.settle, asyncio.Event(), asyncio.Event()

    async def settle(hub: Hub, audience: Any, *, also_absent: bool = False) -> Any:
        if hub is b.hub:
            looked_up.set()
            await may_go_on.wait()
        return await known(hub, audience, also_absent=also_absent)

    monkeypatch.setattr(Hub, "settle", settle)
    await _follow(a, "zoe", "bob")
    bob = b.tab("bob")
    await a.knows("bob")
    await a.announce("x", audience=followers_of("ada"))
    await looked_up.wait()
    zoe, eve = b.tab("zoe"), b.tab("eve")
    assert [[], []] == [zoe.heard, eve.heard]
    may_go_on.set()
    await shows(zoe, "x")
    await shows(bob, "x")
    assert [] == eve.heard
    await shows(b.tab("zoe"), "x")


# -- what is pushed again ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", [service.PUBLISHED, service.EDITED, service.MOVED])
async def test_one_that_is_pushed_again_stays_below_what_was_announced_since(nodes: list[Node], what: str):
    """A node was killed before it had noted that it was pushed; the other one does not know whether it was."""
    a, b = nodes
    old = await a.announce("old")
    await a.announce("new")
    await b.heard(a)
    pages = [node.tab("ada") for node in nodes]
    await service.PUSHES_AGAIN[what](b.services, Again("the same", what, [str(old.id)], None))
    await a.heard(b)
    for page in (*pages, a.tab("ada"), b.tab("ada")):
        await eventually(lambda page=page: 2 - (page not in pages) == len(page.heard))
        await shows(page, "new", "old")


# -- what is lost -----------------------------------------------------------------------------------------------------------
async def test_when_entries_are_lost_the_board_is_read_anew_and_shown_to_all(nodes: list[Node], redis: RedisServer):
    a, b = nodes
    gone = await a.announce("is recalled")
    await b.heard(a)
    page = b.tab("ada")
    await redis.stop()
    await service.recall(a.services, gone.id)
    await a.announce("new")
    await shows(page, "is recalled")
    redis.empty()
    await redis.start()
    await shows(page, "new")
    for node in nodes:
        await shows(node.tab("ada"), "new")


async def test_what_is_heard_while_the_board_is_read_counts_and_nobody_is_shown_half_of_it(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    old, gone = [await a.announce(text) for text in ("old", "is recalled")]
    await b.heard(a)
    read, has_read, may_go_on = service.store.newest_in_force, asyncio.Event(), asyncio.Event()

    async def hold(*what: Any) -> Any:
        found = await read(*what)
        has_read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(service.store, "newest_in_force", hold)
    b.services.of(Board)._has_lost()
    await has_read.wait()
    page = b.tab("ada")
    assert [] == page.heard
    await service.edit(a.services, old.id, _Message("edited"))
    await service.recall(a.services, gone.id)
    await a.announce("new")
    await b.heard(a)
    may_go_on.set()
    await shows(page, "new", "edited")
    await shows(b.tab("ada"), "new", "edited")


async def test_one_that_is_read_before_it_is_heard_of_is_shown_once(nodes: list[Node], monkeypatch: pytest.MonkeyPatch):
    a, b = nodes
    held = Held(a, monkeypatch)
    announcing = asyncio.create_task(a.announce("x"))
    await held.came.wait()
    b.services.of(Board)._has_lost()
    page = b.tab("ada")
    await shows(page, "x")
    held.may_go_on.set()
    await announcing
    await b.heard(a)
    await eventually(lambda: len(page.heard) > 1)
    await shows(page, "x")
    await shows(b.tab("ada"), "x")


async def _rows(node: Node) -> list[AnnouncementRow]:
    async with node.services.database.reading() as session:
        return list(await service.store.newest_in_force(session, utc_now(), 10))


async def _follow(node: Node, *user_ids: str) -> None:
    for user_id in user_ids:
        async with node.services.database.transaction() as session:
            await ensure_users(session, {user_id, "ada"})
            await follows_store.add(session, user_id, "ada")
