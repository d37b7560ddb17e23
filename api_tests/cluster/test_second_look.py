"""Two nodes change the same thing, and the later change comes to the journal first: screens show what is stored all the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby

import pytest

from api_tests.cluster.services import Held, Node, run_services
from api_tests.features.screen import Screen, fragments
from api_tests.features.talking import CHAT
from api_tests.hub.recording import Tab
from api_tests.hub.returned import Returned
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.features import notifications, second_look
from app.features.messages import pushing, send_to_room, send_to_user
from app.features.messages.model import MessageRow
from app.features.messages.service import edit, remove
from app.features.messages.store import newest_to_user, page_of_room
from app.features.notifications.model import NotificationRow
from app.features.notifications.service import mark, mark_all_read, notify
from app.features.rooms import create_room
from app.features.second_look import SecondLook
from app.hub.returning import Back
from app.hub.sessions import Kept
from app.kernel.identity import User
from app.settings import Settings

NEWS = {"kind": "info", "title": "News", "message": "x"}
ROOM = "lobby"
ADA = User("ada", "Ada")


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Node]]:
    monkeypatch.setattr(second_look, "PAUSE_S", 20 * MS)
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as both:
        yield both


def is_looking(node: Node) -> bool:
    """Whether anything that was pushed is yet to be looked at."""
    of_messages, of_notifications = node.services.of(pushing.Looks)._looks, vars(node.services.of(notifications.looks.Looks))
    every = [of_messages, *(look for look in of_notifications.values() if isinstance(look, SecondLook))]
    return any(look._pushed._waiting for look in every)


Overtake = Callable[[Callable[[Node], Awaitable[object]], Callable[[Node], Awaitable[object]]], Awaitable[None]]


@pytest.fixture
def overtake(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> Overtake:
    """The first change is committed by one node, which then hangs; the second one is made by the other node and told before it."""

    async def run(first: Callable[[Node], Awaitable[object]], second: Callable[[Node], Awaitable[object]]) -> None:
        a, b = nodes
        for node in nodes:
            await node.nothing_waits()
            await eventually(lambda node=node: not is_looking(node))
        held = Held(a, monkeypatch)
        changing = asyncio.create_task(first(a))
        await held.came.wait()
        await second(b)
        held.may_go_on.set()
        await changing
        await b.heard(a)
        await b.hub.delivery.writing.until_written()

    return run


def _text_in(html: str) -> str:
    return html.partition('<span class="content">')[2].partition("<")[0]


async def _may_be_there(*_: object) -> None:
    pass


def texts(page: Tab | Returned, target: str) -> list[str]:
    screen = Screen(target)
    for message in page.sink.messages:
        screen.apply(message)
    return screen.texts


def badges(page: Tab | Returned) -> list[str]:
    """What the badge showed, one after the other."""
    return [
        part["html"] for message in page.sink.messages for part in fragments(message) if part["target"] == "#notification-count"
    ]


def looks(page: Tab, row: NotificationRow) -> list[str]:
    """How a notification looked on the page, one after the other; empty: it was not there."""
    found: list[str] = []
    for part in (part for message in page.sink.messages for part in fragments(message)):
        if str(row.id) in part["html"]:
            found.append("read" if 'class="notification info read"' in part["html"] else "unread")
        elif str(row.id) in part["target"] or (part["target"] == "#notifications" and part["swap"] == "innerHTML"):
            found.append("")
    return found


async def said(node: Node, text: str) -> MessageRow:
    await create_room(node.services, ROOM, ROOM, is_private=False)
    row, _ = await send_to_room(node.services, ROOM, text, sender=None, author="A")
    return row


def in_room(node: Node) -> Tab:
    page = node.tab("ada")
    node.hub.registry.join(page.connection, ROOM, "")
    return page


async def test_of_two_edits_that_were_told_in_the_wrong_order_the_later_stays(nodes: list[Node], overtake: Overtake):
    a, b = nodes
    pages = [in_room(node) for node in nodes]
    start = b.hub.cursor()
    row = await said(a, "first")
    await overtake(
        lambda node: edit(node.services, row.id, "older"),
        lambda node: edit(node.services, row.id, "newer"),
    )
    for page in pages:
        await eventually(lambda page=page: 4 == len(page.heard))
        assert ["first", "newer", "older", "newer"] == [_text_in(html) for html in page.heard]
    later = Returned(b.hub, Back(start, Kept("before", "ada", {ROOM: ""}, b"")))
    b.hub.returning.check_rooms = _may_be_there
    await later.done()
    assert ["newer"] == texts(later, CHAT)


async def test_a_message_that_was_removed_before_it_was_edited_on_screens_is_gone(nodes: list[Node], overtake: Overtake):
    page = in_room(nodes[1])
    row = await said(nodes[1], "first")
    await overtake(lambda node: edit(node.services, row.id, "older"), lambda node: remove(node.services, row.id))
    await eventually(lambda: 4 == len(page.sink.messages))
    assert [] == texts(page, CHAT)


@pytest.mark.parametrize(
    ("change", "left"),
    [(lambda node, one: edit(node.services, one, "edited"), ["edited"]), (lambda node, one: remove(node.services, one), [])],
)
async def test_a_message_that_was_changed_before_it_was_said_is_shown_as_it_is(
    nodes: list[Node], overtake: Overtake, change: Callable[..., Awaitable[object]], left: list[str]
):
    pages = [in_room(node) for node in nodes]
    await said(nodes[0], "before")

    async def change_the_newest(node: Node) -> None:
        async with node.services.database.reading() as session:
            newest = (await page_of_room(session, ROOM, limit=1, cursor=None)).rows[0]
        await change(node, newest.id)

    await overtake(lambda node: send_to_room(node.services, ROOM, "said", sender=None, author="A"), change_the_newest)
    for page in pages:
        await eventually(lambda page=page: ["before", *left] == texts(page, CHAT))


async def test_a_private_message_that_was_edited_before_it_was_told_is_shown_as_it_is(nodes: list[Node], overtake: Overtake):
    a, b = nodes
    page = b.tab("ada")
    await notify(a.services, user_ids=["ada"], **NEWS)

    async def edit_the_newest(node: Node) -> None:
        async with node.services.database.reading() as session:
            newest = (await newest_to_user(session, "ada", 1))[0]
        await edit(node.services, newest.id, "edited")

    await overtake(lambda node: send_to_user(node.services, "ada", "written", sender=User("bob", "Bob")), edit_the_newest)
    await eventually(lambda: ["edited"] == texts(page, "#messages"))


async def test_a_private_message_that_is_removed_at_once_is_taken_away_once(nodes: list[Node]):
    node = nodes[0]
    page = node.tab("ada")
    row = await send_to_user(node.services, "ada", "written", sender=User("bob", "Bob"))
    await remove(node.services, row.id)
    await eventually(lambda: not is_looking(node))
    await node.hub.delivery.writing.until_written()
    assert ["beforeend", "delete"] == [message["swap"] for message in page.sink.messages]


async def test_a_badge_whose_count_two_nodes_changed_at_once_shows_what_is_stored(nodes: list[Node], overtake: Overtake):
    pages = [node.tab("ada") for node in nodes]
    start = nodes[0].hub.cursor()
    await overtake(
        lambda node: notify(node.services, user_ids=["ada"], **NEWS),
        lambda node: notify(node.services, user_ids=["ada"], **NEWS),
    )
    for page in pages:
        await eventually(lambda page=page: 3 == len(badges(page)))
        assert ["2", "1", "2"] == badges(page)
    later = Returned(nodes[1].hub, Back(start))
    await later.done()
    assert "2" == badges(later)[-1]


Mark = Callable[[Node, NotificationRow], Awaitable[object]]
MARKS: dict[str, Mark] = {
    name: lambda node, row, state=state, on=on: mark(node.services, row.id, state, on=on)
    for name, state, on in [
        ("read", "read", True),
        ("unread", "read", False),
        ("away", "archived", True),
        ("back", "archived", False),
    ]
}
MARKS["all read"] = lambda node, row: mark_all_read(node.services, row.user_id)


@pytest.mark.parametrize(
    ("first", "second", "look"),
    [("read", "unread", "unread"), ("away", "back", "unread"), ("back", "away", ""), ("all read", "unread", "unread")],
)
async def test_a_notification_that_two_nodes_changed_at_once_is_shown_as_it_is_stored(
    nodes: list[Node], overtake: Overtake, first: str, second: str, look: str
):
    a, b = nodes
    page = b.tab("ada")
    (row,), *_ = await notify(a.services, user_ids=["ada"], **NEWS)
    if first == "back":
        await mark(a.services, row.id, "archived", on=True)
    await overtake(lambda node: MARKS[first](node, row), lambda node: MARKS[second](node, row))
    await eventually(lambda: look == looks(page, row)[-1] and ("1" if look else "") == badges(page)[-1])
    assert len([one for one, _ in groupby(looks(page, row))]) > 2  # for a moment it looked otherwise


async def test_one_that_was_only_seen_changes_in_its_place(nodes: list[Node], overtake: Overtake):
    a, b = nodes
    page = b.tab("ada")
    (row,), *_ = await notify(a.services, user_ids=["ada"], **NEWS)
    await overtake(
        lambda node: mark(node.services, row.id, "seen", on=True), lambda node: mark(node.services, row.id, "seen", on=False)
    )
    await eventually(lambda: 4 == len(page.heard))
    assert ["afterbegin", "outerHTML", "outerHTML", "outerHTML"] == [message["swap"] for message in page.sink.messages]


async def test_a_notification_that_came_while_all_were_marked_as_read_is_on_the_list_once(nodes: list[Node], overtake: Overtake):
    a, b = nodes
    page = b.tab("ada")
    await notify(a.services, user_ids=["ada"], **NEWS)
    await overtake(lambda node: mark_all_read(node.services, "ada"), lambda node: notify(node.services, user_ids=["ada"], **NEWS))
    await eventually(lambda: 2 == len(texts(page, "#notifications")))
    await overtake(lambda node: notify(node.services, user_ids=["ada"], **NEWS), lambda node: mark_all_read(node.services, "ada"))
    await eventually(lambda: 3 == len(texts(page, "#notifications")) and "" == badges(page)[-1])
