"""A page joins a room on one node while it is talked there on another: it shows what is stored, nothing missing, nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest

from api_tests.cluster.services import Node, run_services
from api_tests.features.screen import Screen
from api_tests.features.talking import CHAT, list_slowly, push_slowly
from api_tests.hub.recording import Tab
from api_tests.hub.returned import Returned
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS
from app.features.chat import actions
from app.features.messages import send_to_room
from app.features.messages.service import edit, remove
from app.features.messages.store import page_of_room
from app.features.rooms import create_room
from app.hub.handlers import Request
from app.hub.returning import Back
from app.settings import Settings
from app.wire.update import Update

ROOM = "lobby"
ROUNDS, PAGES = 7, 10


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings) -> AsyncIterator[list[Node]]:
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as both:
        yield both


@pytest.fixture(params=["as it is", "a list between its reading and its use", "a push after its commit"])
def slowly(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[Node], None]:
    """Call it: from then on what takes a moment takes a longer one; of pushes, those of this node."""

    def begin(sending: Node) -> None:
        if "push" in request.param:
            push_slowly(monkeypatch, sending.hub)
        elif "list" in request.param:
            list_slowly(monkeypatch)

    return begin


async def test_whoever_joins_here_while_it_is_talked_there_shows_exactly_what_is_stored(
    nodes: list[Node], slowly: Callable[[Node], None]
):
    a, b = nodes
    await create_room(a.services, ROOM, ROOM, is_private=False)
    slowly(a)
    numbers = count()
    for _ in range(ROUNDS):
        over = asyncio.Event()
        talking = [asyncio.create_task(_talks(a, numbers, over)), asyncio.create_task(_edits_and_removes(a, over))]
        pages = [b.tab(f"reader-{number}") for number in range(PAGES)]
        await asyncio.gather(*(_joins(b, page, number) for number, page in enumerate(pages)))
        over.set()
        await asyncio.gather(*talking)
        await b.heard(a)
        await b.hub.delivery.writing.until_written()
        stored = await _all_stored(a)
        for page in pages:
            shown = _shown(page)
            first = next((at for at, item in enumerate(stored) if item[0] == min(shown.ids)), None)
            assert stored[first:] == shown.items
            assert len(stored[first:]) > 30 or first == 0
            b.close(page)


async def _talks(node: Node, numbers: "count[int]", over: asyncio.Event) -> None:
    while not over.is_set():
        await send_to_room(node.services, ROOM, f"number {next(numbers)}", sender=None, author="A")


async def _edits_and_removes(node: Node, over: asyncio.Event) -> None:
    for number in count():
        if over.is_set():
            return
        async with node.services.database.reading() as session:
            rows = (await page_of_room(session, ROOM, limit=60, cursor=None)).rows
        if rows:
            one = rows[(number % 4 if number % 3 else number) % len(rows)]
            await (edit(node.services, one.id, f"{one.content}!") if number % 4 else remove(node.services, one.id))
        await asyncio.sleep(0)


async def _joins(node: Node, page: Tab | Returned, number: int) -> None:
    """One after the other; each second page twice."""
    await asyncio.sleep(4 * number * MS)
    for _ in range(1 + number % 2):
        request = Request(id="", handler="join-room", data={"roomId": ROOM})
        reply = await actions.join_room(node.services, request, page.connection)
        page.connection.send(Update("#room", reply.html, "innerHTML", reply.oob))


def _shown(page: Tab | Returned) -> Screen:
    screen = Screen(CHAT)
    for message in page.sink.messages:
        screen.apply(message)
    return screen


async def _all_stored(node: Node) -> list[tuple[str, str]]:
    async with node.services.database.reading() as session:
        rows = (await page_of_room(session, ROOM, limit=10_000, cursor=None)).rows
    return [(str(row.id), row.content) for row in reversed(rows)]


async def test_a_page_that_joins_while_it_catches_up_shows_what_is_said_meanwhile(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    """Its list comes behind what it missed, and takes the place of that."""
    a, b = nodes
    await create_room(a.services, ROOM, ROOM, is_private=False)
    read, may_read = b.hub.journal.read, asyncio.Event()

    async def read_later(after, limit):
        await may_read.wait()
        return await read(after, limit)

    monkeypatch.setattr(b.hub.journal, "read", read_later)
    start = b.hub.cursor()
    await send_to_room(a.services, ROOM, "missed", sender=None, author="A")
    await b.heard(a)
    page = Returned(b.hub, Back(start))
    join = asyncio.create_task(_joins(b, page, 0))
    await asyncio.wait({join}, timeout=100 * MS)  # not before it is live, however long that takes
    await send_to_room(a.services, ROOM, "meanwhile", sender=None, author="A")
    await b.heard(a)
    may_read.set()
    await join
    await send_to_room(a.services, ROOM, "since", sender=None, author="A")
    await b.heard(a)
    await b.hub.delivery.writing.until_written()
    assert ["missed", "meanwhile", "since"] == _shown(page).texts
