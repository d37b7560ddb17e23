"""Who is in a room, as the others are told: each coming has its going, and what ends within the grace is neither."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest

from api_tests.features.screen import ESCAPED, XSS
from api_tests.features.talking import join, told
from api_tests.server import run_server
from api_tests.waiting import MS, eventually
from app.features.gathering import Gathering
from app.features.rooms import visits
from app.hub.hub import Hub

SHORT_S = 1 * MS
JOINED, LEFT = "room.joined", "room.left"


@pytest.fixture
def grace_s():
    return SHORT_S


@pytest.fixture
async def server(settings, grace_s):
    lively = msgspec.structs.replace(settings, presence_grace_s=grace_s, socket_rate_per_s=10_000, socket_burst=10_000)
    async with run_server(lively) as running:
        yield running


@pytest.fixture
def events(server):
    with told(server, JOINED, LEFT) as heard:
        yield heard


def named(events):
    return [(name, visit.room_id, visit.user.id) for name, visit in events]


async def activity(page):
    return (await page.next_of("#room-activity"))["html"]


async def test_who_closes_the_browser_leaves_after_the_grace_and_stays_a_member(server, api, events):
    async with server.socket("bob") as bob:
        await join(bob, "lobby")
        async with server.socket("ada", name=XSS) as ada:
            await join(ada, "lobby")
            await join(ada, "kitchen")
        assert f"<div>{ESCAPED} joined the room</div>" == await activity(bob)
        assert f"<div>{ESCAPED} left the room</div>" == await activity(bob)
        await eventually(lambda: len(events) == 5)
        assert {(LEFT, "lobby", "ada"), (LEFT, "kitchen", "ada")} == set(named(events)[3:])
    await eventually(lambda: len(events) == 6)
    assert ["ada", "bob"] == [one["user_id"] for one in (await api.get("/rooms/lobby/members")).json()["items"]]


async def test_a_second_page_keeps_the_visit_until_it_is_gone_too(server, api, events):
    async with server.socket("bob") as bob, server.socket("ada") as ada:
        await join(bob, "lobby")
        await join(ada, "lobby")
        async with server.socket("ada") as tab:
            await join(tab, "lobby")
        await server.connected(2)
        async with server.socket("zoe") as zoe:  # whose going is told behind what the tab's may have caused
            await join(zoe, "lobby")
        await eventually(lambda: named(events)[-1] == (LEFT, "lobby", "zoe"))
        assert (LEFT, "lobby", "ada") not in named(events)
        await ada.ask("leave-room", {})
        assert (LEFT, "lobby", "ada") == named(events)[-1]


async def test_a_page_that_left_on_purpose_and_closes_left_once(server, events):
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        await ada.ask("leave-room", {})
        await join(ada, "kitchen")
    await eventually(lambda: named(events)[-1] == (LEFT, "kitchen", "ada"))
    assert [(JOINED, "lobby", "ada"), (LEFT, "lobby", "ada")] == named(events)[:2]
    assert 4 == len(events)


@pytest.fixture
def gathered(monkeypatch):
    """Those whose grace is over, told of together when the test says so. Asked for before `server`."""
    made = []

    def gathering(what, tell, **_how):
        made.append(Gathering(what, tell, pause_s=3600))
        return made[0]

    monkeypatch.setattr(visits, "Gathering", gathering)
    return made


async def test_many_who_leave_at_once_are_one_publication(gathered, server, events, monkeypatch):
    published, publish = [], Hub.publish

    async def counting(hub, publication):
        published.append(publication)
        return await publish(hub, publication)

    async with server.socket("bob") as bob:
        await join(bob, "lobby")
        async with AsyncExitStack() as pages:
            for number in range(12):
                await join(await pages.enter_async_context(server.socket(f"user-{number}")), "lobby")
                await activity(bob)
            monkeypatch.setattr(Hub, "publish", counting)
            for page in list(server.hub.registry.in_room("lobby")):
                if page.user.id != "bob":
                    server.hub.close(page)
            await eventually(lambda: all(("lobby", f"user-{number}") in gathered[0] for number in range(12)))
            await gathered[0].flush()
        lines = (await activity(bob)).splitlines()
        assert {f"<div>user-{number} left the room</div>" for number in range(12)} == set(lines)
        assert 12 == sum(name == LEFT for name, _ in events)
        assert 1 == len(published)


async def test_who_is_put_out_leaves_at_once_and_the_others_are_told(server, api, events):
    async with server.socket("bob") as bob, server.socket("ada") as ada:
        await join(bob, "lobby")
        await join(ada, "lobby")
        assert "<div>ada joined the room</div>" == await activity(bob)
        await api.delete("/rooms/lobby/members/ada")
        assert "<div>ada left the room</div>" == await activity(bob)
        assert (LEFT, "lobby", "ada") == named(events)[-1]
    await eventually(lambda: named(events)[-1] == (LEFT, "lobby", "bob"))
    assert 4 == len(events)


async def test_with_a_room_that_is_deleted_all_visits_end_without_a_line_for_each(server, api, events):
    async with server.socket("bob") as bob, server.socket("ada") as ada:
        await join(ada, "lobby")
        await join(bob, "lobby")
        await api.delete("/rooms/lobby")
        assert {(LEFT, "lobby", "ada"), (LEFT, "lobby", "bob")} == set(named(events)[2:])
        await api.broadcast("marker")
        assert "<div>lobby was closed</div>" == (await bob.next())["html"]
        await bob.hears_nothing_but("marker")


async def test_nothing_is_kept_of_visits_that_are_over(server, api, events, monkeypatch):
    made, came = [], visits.Visits.came
    monkeypatch.setattr(visits.Visits, "came", lambda these, *of_whom: made.append(these) or came(these, *of_whom))
    for _ in range(3):
        async with server.socket("ada") as ada, server.socket("bob") as bob:
            for room in ("lobby", "kitchen"):
                await join(ada, room)
                await join(bob, room)
            await bob.ask("leave-room", {})
            server.hub.registry.leave(server.hub.registry.get(ada.id), "lobby")  # as a handler of the site's own may do
            await join(ada, "garden")
    await eventually(lambda: not [*made[0]._book] and not made[0]._book._rooms_of)
    came, went = (sorted(visit for name, *visit in named(events) if name == which) for which in (JOINED, LEFT))
    assert came == went


@pytest.mark.parametrize("grace_s", [3600])
class TestWithinTheGrace:
    """A grace that is longer than the test."""

    async def test_a_reload_is_no_going_and_no_coming(self, server, api, events):
        async with server.socket("bob") as bob:
            await join(bob, "lobby")
            for _ in range(3):
                async with server.socket("ada") as ada:
                    await join(ada, "lobby")
                await server.connected(1)
            await api.broadcast("marker")
            assert "<div>ada joined the room</div>" == (await bob.next())["html"]
            await bob.hears_nothing_but("marker")
        assert [(JOINED, "lobby", "bob"), (JOINED, "lobby", "ada")] == named(events)

    async def test_who_is_put_out_after_closing_the_browser_leaves_at_once(self, server, api, events):
        async with server.socket("ada") as ada:
            await join(ada, "lobby")
        await server.connected(0)
        await api.delete("/rooms/lobby/members/ada")
        assert [(JOINED, "lobby", "ada"), (LEFT, "lobby", "ada")] == named(events)


@pytest.mark.parametrize("grace_s", [SHORT_S, 100 * MS])
async def test_who_is_cut_off_by_a_stop_has_not_left(settings, grace_s):
    quick = msgspec.structs.replace(settings, presence_grace_s=grace_s, drain_s=0.5)
    async with AsyncExitStack() as pages:
        async with run_server(quick) as server:
            for user in ("ada", "bob"):
                page = await pages.enter_async_context(server.socket(user))
                await join(page, "lobby")
            heard = []
            server.hub.events.on(LEFT, heard.append)
        await asyncio.gather(page.closed())
    server.hub.events.off(LEFT, heard.append)
    assert [] == heard
