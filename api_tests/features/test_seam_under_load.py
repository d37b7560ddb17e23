"""Where what was said before meets what is said from now on, under load: a page that joins shows exactly what is stored."""

import asyncio
from contextlib import AsyncExitStack
from itertools import count

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.features.talking import join, list_slowly, push_slowly
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import SOON_S

ROOM = "lobby"
JOINS = 120
PAGES = 6


@pytest.fixture(params=["a list between its reading and its use", "a push after its commit"])
def slowly(monkeypatch, request):
    """Call it: from then on what takes a moment takes a longer one."""

    def begin(hub):
        if "push" in request.param:
            push_slowly(monkeypatch, hub)
        else:
            list_slowly(monkeypatch)

    return begin


async def test_whoever_joins_while_people_talk_edit_and_remove_shows_exactly_what_is_stored(settings, slowly):
    lively = msgspec.structs.replace(settings, socket_rate_per_s=100_000, socket_burst=100_000, max_sockets_per_user=100)
    async with run_server(lively) as server, ApiClient(server.url, ADMIN_KEY) as api, AsyncExitStack() as pages:
        await api.post("/rooms", {"id": ROOM})
        for number in range(60):  # more than a page is shown
            await api.post(f"/rooms/{ROOM}/messages", {"message": f"early {number}"})
        slowly(server.hub)
        over = asyncio.Event()
        talking = [asyncio.create_task(_talks(server, f"user-{number}", over)) for number in range(5)]
        talking.append(asyncio.create_task(_edits_and_removes(api, over)))
        joins, screens = count(1), []
        await asyncio.gather(*(_joins_again_and_again(server, pages, joins, screens) for _ in range(PAGES)))
        over.set()
        await asyncio.gather(*talking)
        stored = await _all_stored(api)
        assert len(stored) > 100
        assert JOINS // 10 <= len(screens)
        await api.broadcast("the end")
        for page, screen in screens:
            await _reads_on(page, screen, until="the end")
            first = next((at for at, item in enumerate(stored) if item[0] == min(screen.ids)), None)
            assert stored[first:] == screen.items


async def _talks(server, user, over):
    async with server.socket(user) as page:
        await join(page, ROOM)
        for number in count():
            if over.is_set():
                return
            await page.ask("send-message", {"message": f"{user} {number}", "roomId": ROOM})


async def _edits_and_removes(api, over):
    """The newest ones, and such as are too old to be shown to those who join."""
    for number in count():
        if over.is_set():
            return
        items = (await api.get(f"/rooms/{ROOM}/messages?limit=70")).json()["items"]
        one = items[number % 5 if number % 3 else number % len(items)]
        if not number % 4:
            assert 204 == (await api.delete(f"/messages/{one['id']}")).status_code
        else:
            assert 200 == (await api.call("PATCH", f"/messages/{one['id']}", {"message": one["message"] + "!"})).status_code


async def _joins_again_and_again(server, pages, joins, screens):
    """On a new page, or again on the one that is there. Every tenth stays as it is, and listens to the end.

    However late its messages are looked at, it reads them: a page that does not read answers no ping, and is closed.
    """
    page = None
    while (number := next(joins)) <= JOINS:
        if page is None:
            page = await pages.enter_async_context(server.socket(f"reader-{number}", max_queue=None))
        screen = await join(page, ROOM)
        for _ in range(number % 4):
            screen.apply(await page.next())
        if not number % 10:
            screens.append((page, screen))
            page = None
    if page is not None:
        screens.append((page, screen))


async def _reads_on(page, screen, until):
    async with asyncio.timeout(SOON_S):
        while (message := await page.next()).get("html") != until:
            screen.apply(message)


async def _all_stored(api):
    """Ids and texts as they are on a screen, oldest first."""
    stored, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/rooms/{ROOM}/messages?limit=200{cursor and f'&cursor={cursor}'}")).json()
        stored += [(one["id"], one["message"]) for one in page["items"]]
        cursor = page["next_cursor"]
    return stored[::-1]
