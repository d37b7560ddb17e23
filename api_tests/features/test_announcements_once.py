"""Each announcement is shown once, by one node, to every page, and never after it was recalled; whatever happens at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count

from api_tests.db.beside import rows
from api_tests.features.announcing import LATER_S, NEW, announce, change, later, shown
from api_tests.features.screen import Screen
from api_tests.hub.recording import make_hub, tab
from api_tests.waiting import eventually
from app.db.session import Database
from app.features.announcements import service, store
from app.features.announcements.model import new
from app.features.announcements.service import Schedule
from app.features.services import Services
from app.kernel.clock import utc_now


async def test_of_two_schedules_on_one_database_exactly_one_shows_it(clock, settings):
    nodes = [Services(settings, Database(settings.database_url), make_hub(), None) for _ in range(2)]
    pages = [tab(services.hub, "ada") for services in nodes]
    moment = utc_now() + timedelta(seconds=LATER_S)
    how = {"title": "News", "priority": "high", "author": "test", "publish_at": moment}
    made = [str((await service.announce(nodes[number % 2], new(message="x", **how))).row.id) for number in range(20)]
    clock.skip(LATER_S)
    async with nodes[0].of(Schedule).running(), nodes[1].of(Schedule).running():
        query = "SELECT count(*) FROM announcements WHERE published_at IS NULL"
        await eventually(lambda: [(0,)] == rows(settings, query))
    heard = [html for page in pages for html in page.heard]
    assert sorted(made) == sorted(html.split('id="announcement-')[1][:36] for html in heard)
    for services in nodes:
        await services.database.close()


async def test_one_that_is_recalled_or_put_off_at_its_time_is_shown_or_not_and_never_afterwards(clock, server, api):
    """Its time and what the back office does meet: each screen ends as the list says."""
    async with server.socket("ada") as page:
        moment = later()
        made = [await announce(api, message=str(number), publish_at=moment) for number in range(20)]
        clock.skip(LATER_S)
        for one in made[::2]:
            assert 204 == (await api.delete(f"/announcements/{one['id']}")).status_code
        for one in made[1::2]:
            await change(api, one, message="edited")
        await eventually(lambda: [(0,)] == rows(server.settings, "SELECT count(*) FROM announcements WHERE published_at IS NULL"))
        await announce(api, message="the end")
        screen = await shown(page)
        while "the end" not in screen.texts:
            await shown(page, screen)
        assert ["the end"] + ["edited"] * 10 == screen.texts
        assert {one["id"] for one in made[1::2]} == set(screen.ids[1:])


class Stop:
    """A function that returns what it found only when the test says so."""

    def __init__(self, function: Callable[..., Awaitable[object]]) -> None:
        self._function = function
        self.has_found = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def __call__(self, *what: object) -> object:
        found = await self._function(*what)
        if found:
            self.has_found.set()
            await self.may_go_on.wait()
        return found


async def test_one_that_is_put_off_at_its_time_is_not_shown_yet(clock, server, api, monkeypatch):
    """The schedule has found it due when the change is made."""
    due = Stop(store.due)
    async with server.socket("ada") as page:
        made = await announce(api, publish_at=later())
        monkeypatch.setattr(store, "due", due)
        clock.skip(LATER_S)
        await eventually(due.has_found.is_set)
        assert "scheduled" == (await change(api, made, publish_at=later()))["state"]
        await announce(api, message="marker", publish_at=later(1))
        clock.skip(1)
        due.may_go_on.set()
        await page.hears_nothing_but("marker")
        clock.skip(LATER_S)
        assert [made["id"]] == (await shown(page)).ids


async def test_one_that_is_over_before_it_is_stored_is_not_shown(clock, server, api, monkeypatch):
    settled = Stop(service.settled_audience)
    async with server.socket("ada") as page:
        monkeypatch.setattr(service, "settled_audience", settled)
        asked = asyncio.create_task(api.post("/announcements", {**NEW, "expires_at": later()}))
        await eventually(settled.has_found.is_set)
        clock.skip(LATER_S)
        settled.may_go_on.set()
        made = (await asked).json()
        assert ("expired", 0) == (made["state"], made["matched"])
        await api.broadcast("marker")
        while "marker" != (message := await page.next())["html"]:
            assert "delete" == message["swap"]  # what is over is taken down, shown or not


# -- under load --------------------------------------------------------------------------------------------------------
CONNECTS = 200
PAGES = 4


async def test_whoever_connects_while_announcements_come_change_and_go_shows_each_one_in_force_once(server, api):
    for number in range(10):
        await announce(api, message=f"early {number}")
    over, connects, screens = asyncio.Event(), count(1), []
    async with AsyncExitStack() as pages:
        working = [asyncio.create_task(work(api, over)) for work in (_announces, _announces, _edits_and_recalls)]
        await asyncio.gather(*(_comes_and_goes(server, pages, connects, screens) for _ in range(PAGES)))
        over.set()
        await asyncio.gather(*working)
        await api.broadcast("the end")
        in_force = await _all_in_force(api)
        for page, screen in screens:
            while (message := await page.next()).get("html") != "the end":
                screen.apply(message)
            assert in_force[: len(screen.items)] == screen.items
            assert len(screen.items) >= 10
    assert len(screens) >= CONNECTS // 10


async def _all_in_force(api):
    """Ids and texts as they are on a screen, newest first."""
    found, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/announcements?state=in_force&limit=200{cursor and f'&cursor={cursor}'}")).json()
        found += [(one["id"], one["message"]) for one in page["items"]]
        cursor = page["next_cursor"]
    return found


async def _announces(api, over):
    for number in count():
        if over.is_set():
            return
        await announce(api, message=f"news {number}")


async def _edits_and_recalls(api, over):
    for number in count():
        if over.is_set():
            return
        items = (await api.get("/announcements?limit=25")).json()["items"]
        one = items[number % 5 if number % 3 else number % len(items)]
        if number % 2:
            await change(api, one, message=one["message"] + "!")
        elif len(items) > 20:
            assert 204 == (await api.delete(f"/announcements/{one['id']}")).status_code


async def _comes_and_goes(server, pages, connects, screens):
    """Every tenth page stays, and listens to the end: it reads, however late its messages are looked at."""
    while (number := next(connects)) <= CONNECTS:
        page = server.socket(f"reader-{number}", path="/ws?cursor=x" if number % 2 else "/ws", max_queue=None)
        if not number % 10:
            screens.append((await pages.enter_async_context(page), Screen("#announcements")))
            continue
        async with page:
            screen = Screen("#announcements")
            for _ in range(number % 4):
                await shown(page, screen)
            assert len(set(screen.ids)) == len(screen.ids)
