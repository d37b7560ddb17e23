"""A page that comes back, and what is pushed to whoever arrives: each thing once, none missing, none that it may not hear."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.features.screen import Screen, fragments
from api_tests.features.talking import CHAT, join, say
from api_tests.server import Running, run_server
from api_tests.sockets.returning import Visitor
from api_tests.waiting import eventually
from app import wsx
from app.settings import Settings

ACTIVITY = "#room-activity"


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return msgspec.structs.replace(settings, **getattr(request, "param", {}))


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(settings) as running:
        yield running


async def gone(server: Running, user_id: str) -> None:
    await eventually(lambda: not server.hub.registry.of_user(user_id))


async def heard_until(page, marker: str) -> list[dict]:
    """What the page is told before a broadcast that is sent now."""
    await wsx.broadcast("#marker", marker)
    heard = []
    while (message := await page.next()).get("html") != marker:
        if message.get("target") != "#marker":
            heard.append(message)
    return heard


async def test_what_was_said_in_a_room_meanwhile_is_there_once_and_nobody_saw_the_page_go(server: Running, api: ApiClient) -> None:
    visitor = Visitor(server, "ada")
    async with server.socket("bob") as bob:
        await join(bob, "lobby")
        async with visitor.visit() as page:
            screen = await join(page, "lobby")
            await say(bob, "one")
            screen.apply(await page.next_of(CHAT))
        await gone(server, "ada")
        await say(bob, "two")
        await api.post("/rooms/lobby/messages", {"message": "three"})
        async with visitor.visit() as page:
            assert page.hello["resumed"]
            for message in await heard_until(page, "now"):
                screen.apply(message)
            await say(page, "four")
            assert ["one", "two", "three"] == screen.texts
        heard = [part for message in await heard_until(bob, "end") for part in fragments(message)]
        assert [] == [part for part in heard if part["target"] == ACTIVITY]
        assert "four" in heard[-1]["html"]


@pytest.mark.parametrize("settings", [{"presence_grace_s": 0.05}], indirect=True)
async def test_who_is_back_after_the_grace_has_left_and_joined(server: Running) -> None:
    visitor = Visitor(server, "ada")
    async with server.socket("bob") as bob:
        await join(bob, "lobby")
        async with visitor.visit() as page:
            await join(page, "lobby")
            assert "ada joined the room" in (await bob.next_of(ACTIVITY))["html"]
        assert "ada left the room" in (await bob.next_of(ACTIVITY))["html"]
        async with visitor.visit() as page:
            assert "ada joined the room" in (await bob.next_of(ACTIVITY))["html"]
            await say(bob, "welcome back")
            assert "welcome back" in (await page.next_of(CHAT))["html"]


async def test_a_room_that_one_was_put_out_of_is_not_heard_again(server: Running, api: ApiClient) -> None:
    visitor = Visitor(server, "ada")
    for room_id in ("board", "staff"):
        await api.post("/rooms", {"id": room_id, "is_private": True})
        await api.put(f"/rooms/{room_id}/members/ada")
    async with visitor.visit() as page:
        for room_id in ("board", "staff"):
            await join(page, room_id)
    await gone(server, "ada")
    assert 204 == (await api.delete("/rooms/board/members/ada")).status_code
    for room_id in ("board", "staff"):
        await api.post(f"/rooms/{room_id}/messages", {"message": f"for {room_id}"})
    async with visitor.visit() as page:
        heard = [
            part["html"] for message in await heard_until(page, "now") for part in fragments(message) if part["target"] == CHAT
        ]
        assert (True, ["staff"]) == (page.hello["resumed"], list(wsx.connection(page.id).rooms))
        assert "not in this room" in (await page.ask("send-message", {"message": "x", "roomId": "board"}))["html"]
    assert (1, True) == (len(heard), "for staff" in heard[0])


async def test_a_notification_that_came_meanwhile_is_shown_once_and_marked(server: Running, api: ApiClient) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit():
        pass
    await gone(server, "ada")
    made = [(await api.post("/notifications", {"user_ids": ["ada"], "title": title})).json() for title in ("first", "second")]
    shown = Screen("#notifications")
    async with visitor.visit() as page:
        while undelivered(server):
            for message in await heard_until(page, "now"):
                shown.apply(message)
        for message in await heard_until(page, "end"):
            shown.apply(message)
    assert [one["items"][0]["id"] for one in reversed(made)] == shown.ids


def undelivered(server: Running) -> int:
    """How many notifications wait for their mark."""
    return rows(server.settings, "SELECT count(*) FROM notifications WHERE delivered_at IS NULL")[0][0]


async def test_another_page_of_the_user_that_is_new_is_shown_it_too_and_the_first_one_not_again(
    server: Running, api: ApiClient
) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit():
        pass
    await gone(server, "ada")
    await api.post("/notifications", {"user_ids": ["ada"], "title": "psst"})
    async with server.socket("ada") as fresh, visitor.visit() as back:
        shown = [Screen("#notifications"), Screen("#notifications")]
        while not shown[0].items:
            shown[0].apply(await fresh.next())
        for screen, page in zip(shown, (fresh, back), strict=True):
            for message in await heard_until(page, page.id):
                screen.apply(message)
        assert [1, 1] == [len(screen.items) for screen in shown]


async def test_announcements_are_as_they_are_in_force(server: Running, api: ApiClient) -> None:
    visitor = Visitor(server, "ada")
    screen = Screen("#announcements")
    async with visitor.visit() as page:
        kept, recalled = [
            (await api.post("/announcements", {"message": text, "priority": "high"})).json()["id"] for text in ("kept", "recalled")
        ]
        for message in await heard_until(page, "now"):
            screen.apply(message)
    await gone(server, "ada")
    await api.delete(f"/announcements/{recalled}")
    made = [(await api.post("/announcements", {"message": f"{number}", "priority": "high"})).json()["id"] for number in range(3)]
    async with visitor.visit() as page:
        assert page.hello["resumed"]
        for message in await heard_until(page, "then"):
            screen.apply(message)
    assert [*reversed(made), kept] == screen.ids


async def test_friends_who_came_and_went_meanwhile_are_told_of(server: Running, api: ApiClient) -> None:
    for follower, followee in (("ada", "bob"), ("bob", "ada")):
        assert 201 == (await api.post("/follows", {"follower_id": follower, "followee_id": followee})).status_code
    visitor = Visitor(server, "ada", target="#friend-activity")
    async with visitor.visit():
        pass
    await gone(server, "ada")
    before = server.hub.cursor()
    async with server.socket("bob"):
        await eventually(lambda: server.hub.cursor() > before)
        async with visitor.visit() as page:
            while not visitor.heard:
                await page.next()
    assert "bob" in visitor.heard[0]
