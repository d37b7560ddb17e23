"""Rooms over the socket: who comes in, is told of, is shown what was said, and leaves; also while the back office acts."""

import asyncio

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.features.screen import ESCAPED, XSS, Screen, refusal
from api_tests.features.talking import CLOSED, NOT_IN, join, say, told
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import eventually
from app.features.chat import actions


@pytest.fixture
async def server(settings):
    async with run_server(msgspec.structs.replace(settings, socket_rate_per_s=10_000, socket_burst=10_000)) as running:
        yield running


# -- into a room -------------------------------------------------------------------------------------------------------
async def test_the_others_are_told_of_who_comes_once_however_many_pages_come(server, api):
    with told(server, "room.joined", "room.left") as events:
        async with server.socket("bob") as bob, server.socket("ada", name=XSS) as ada, server.socket("ada") as tab:
            await join(bob, "lobby")
            answer = await ada.ask("join-room", {"roomId": "lobby"})
            assert ("#answer", "innerHTML", "<div>Joined room lobby</div>") == (answer["target"], answer["swap"], answer["html"])
            await join(tab, "lobby")
            await join(ada, "lobby")
            await api.broadcast("marker")
            arrival = await bob.next()
            assert ("#room-activity", "afterbegin") == (arrival["target"], arrival["swap"])
            assert f"<div>{ESCAPED} joined the room</div>" == arrival["html"]
            for page in (bob, ada, tab):
                await page.hears_nothing_but("marker")
    assert [("room.joined", "lobby", "bob"), ("room.joined", "lobby", "ada")] == [
        (name, visit.room_id, visit.user.id) for name, visit in events
    ]


async def test_who_joins_is_shown_the_last_fifty_messages_in_order_in_one_piece(server, api):
    async with server.socket("ada", name="Ada") as ada, server.socket("bob") as bob:
        await join(ada, "lobby")
        for number in range(52):
            await say(ada, f"{number} {XSS}")
        answer = await bob.ask("join-room", {"roomId": "lobby"})
        (history,) = answer["oob"]
        assert ("#chat-messages", "innerHTML") == (history["target"], history["swap"])
        shown = Screen("#chat-messages")
        shown.apply(answer)
        assert [f"{number} {ESCAPED}" for number in range(2, 52)] == shown.texts
        stored = (await api.get("/rooms/lobby/messages?limit=50")).json()["items"]
        assert [item["id"] for item in reversed(stored)] == shown.ids
        await say(ada, "one more")
        shown.apply(await bob.next_of("#chat-messages"))
        assert (51, "one more") == (len(shown.texts), shown.texts[-1])


async def test_an_empty_room_empties_the_list(server):
    async with server.socket("ada") as ada:
        assert ["innerHTML"] == (await join(ada, "lobby")).swaps


async def test_one_page_is_in_several_rooms_and_leaves_the_last_one_where_it_names_none(server, api):
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        for room in ("lobby", "kitchen", "garden"):
            await join(ada, room)
        await join(ada, "kitchen")  # again: it is the last one now
        await join(bob, "lobby")
        await say(ada, "to the kitchen", "kitchen")
        await say(ada, "to the lobby", "lobby")
        said = {room: (await api.get(f"/rooms/{room}/messages")).json()["items"] for room in ("lobby", "kitchen", "garden")}
        assert [["to the lobby"], ["to the kitchen"], []] == [[one["message"] for one in items] for items in said.values()]
        assert "to the lobby" in (await bob.next())["html"]
        left = [(await ada.ask("leave-room", {}))["html"] for _ in range(2)]
        assert ["<div>Left room</div>"] * 2 == left
        assert ["lobby"] == (await api.get(f"/connections/{ada.id}")).json()["rooms"]
        assert NOT_IN == await refusal(ada, "leave-room", {"roomId": "garden"})
        await ada.ask("leave-room", {"roomId": "lobby"})
        for handler, data in (("leave-room", {}), ("send-message", {"message": "x", "roomId": "lobby"})):
            assert NOT_IN == await refusal(ada, handler, data)
            assert "not_in_room" == ada.errors[0]["code"]


async def test_the_membership_ends_with_the_last_page_that_leaves_and_the_others_are_told_then(server, api):
    async with server.socket("bob") as bob, server.socket("ada") as ada, server.socket("ada", name=XSS) as tab:
        for page in (bob, ada, tab):
            await join(page, "lobby")
        await bob.next_of("#room-activity")
        with told(server, "room.left") as events:
            await ada.ask("leave-room", {"roomId": "lobby"})
            assert ["ada", "bob"] == [one["user_id"] for one in (await api.get("/rooms/lobby/members")).json()["items"]]
            await say(bob, "ada's tab hears this, her first page does not")
            assert "#chat-messages" == (await tab.next())["target"]
            await tab.ask("leave-room", {})
        assert ["ada"] == [visit.user.id for _, visit in events]
        assert f"<div>{ESCAPED} left the room</div>" == (await bob.next())["html"]
        assert ["bob"] == [one["user_id"] for one in (await api.get("/rooms/lobby/members")).json()["items"]]
        await api.broadcast("marker")
        for page in (bob, ada, tab):
            await page.hears_nothing_but("marker")


async def test_a_page_that_is_closed_leaves_its_rooms_and_stays_a_member(server, api):
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
    await eventually(lambda: not server.hub.registry.in_room("lobby"))
    (member,) = (await api.get("/rooms/lobby/members")).json()["items"]
    assert ("ada", False) == (member["user_id"], member["is_live"])


async def test_a_page_is_in_no_more_rooms_than_one_may_be(settings):
    few = msgspec.structs.replace(settings, max_rooms_per_socket=2)
    async with run_server(few) as server, server.socket("ada") as ada:
        for room in ("a", "b", "a"):
            await join(ada, room)
        assert "You are in 2 rooms, which is all that one page may join" == await refusal(ada, "join-room", {"roomId": "c"})
        assert "too_many_rooms" == ada.errors[0]["code"]
        await ada.ask("leave-room", {"roomId": "b"})
        await join(ada, "c")


async def test_where_rooms_are_not_open_only_the_back_office_makes_them(settings):
    async with (
        run_server(msgspec.structs.replace(settings, open_rooms=False)) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket("ada") as ada,
    ):
        await api.post("/rooms", {"id": "board", "is_private": True})
        unknown = await refusal(ada, "join-room", {"roomId": "lobby"}), ada.errors[0]["code"]
        private = await refusal(ada, "join-room", {"roomId": "board"}), ada.errors[0]["code"]
        assert (CLOSED, "room_closed") == unknown == private
        assert 404 == (await api.get("/rooms/lobby")).status_code
        await api.post("/rooms", {"id": "lobby"})
        await join(ada, "lobby")


async def test_a_private_room_is_for_its_members(server, api):
    await api.post("/rooms", {"id": "board", "is_private": True})
    assert 200 == (await api.put("/rooms/board/members/ada")).status_code
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await join(ada, "board")
        assert CLOSED == await refusal(bob, "join-room", {"roomId": "board"})
        assert NOT_IN == await refusal(bob, "send-message", {"roomId": "board", "message": "x"})
        assert NOT_IN == await refusal(bob, "leave-room", {"roomId": "board"})
        await say(ada, "among us", "board")
        await api.broadcast("marker")
        await bob.hears_nothing_but("marker")
        assert "<div>Left room</div>" == (await ada.ask("leave-room", {}))["html"]
        assert NOT_IN == await refusal(ada, "send-message", {"roomId": "board", "message": "x"})
        await join(ada, "board")  # what the back office granted only the back office takes away
    assert ["ada"] == [one["user_id"] for one in (await api.get("/rooms/board/members")).json()["items"]]


# -- what the back office does meanwhile -------------------------------------------------------------------------------
async def test_who_is_put_out_hears_and_says_nothing_more_at_once(server, api):
    async with server.socket("ada") as ada, server.socket("ada") as tab, server.socket("bob") as bob:
        await api.post("/rooms", {"id": "board", "is_private": True})
        for user in ("ada", "bob"):
            await api.put(f"/rooms/board/members/{user}")
        for page in (ada, tab, bob):
            await join(page, "board")
        await ada.next_of("#room-activity")
        await tab.next_of("#room-activity")
        assert 204 == (await api.delete("/rooms/board/members/ada")).status_code
        await say(bob, "without ada", "board")
        for page in (ada, tab):
            assert NOT_IN == await refusal(page, "send-message", {"message": "x", "roomId": "board"})
            assert CLOSED == await refusal(page, "join-room", {"roomId": "board"})
        await api.broadcast("marker")
        for page in (ada, tab):
            await page.hears_nothing_but("marker")


async def test_who_is_in_a_room_that_is_deleted_is_told_and_leaves_it(server, api):
    await api.post("/rooms", {"id": "lobby", "name": XSS})
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        await say(ada, "soon gone")
        assert 204 == (await api.delete("/rooms/lobby")).status_code
        last = await ada.next()
        assert ("#room-activity", f"<div>{ESCAPED} was closed</div>") == (last["target"], last["html"])
        assert NOT_IN == await refusal(ada, "send-message", {"message": "x", "roomId": "lobby"})
        assert [] == (await join(ada, "lobby")).items  # it is another room now


# -- while a page is on its way in -------------------------------------------------------------------------------------
@pytest.fixture
def gate(monkeypatch):
    """Pages that join have read the last messages, and go no further until `gate.set()`."""
    opened, read = asyncio.Event(), actions.last_messages
    opened.waiting = 0

    async def reading_slowly(*what):
        messages = await read(*what)
        opened.waiting += 1
        await opened.wait()
        return messages

    monkeypatch.setattr(actions, "last_messages", reading_slowly)
    return opened


@pytest.fixture
async def joining(server, gate):
    """Call it with pages: they are on their way into the lobby when it returns. Then their answers are awaited."""

    async def start(*pages):
        tasks = []
        for page in pages:
            tasks.append(asyncio.create_task(page.ask("join-room", {"roomId": "lobby"})))
            await eventually(lambda: gate.waiting == len(tasks))

        async def answers():
            gate.set()
            return await asyncio.gather(*tasks)

        return answers

    return start


async def test_of_two_pages_of_a_user_that_come_at_once_the_others_are_told_once(server, api, gate, joining):
    async with server.socket("bob") as bob, server.socket("ada") as ada, server.socket("ada") as tab:
        server.hub.registry.join(server.hub.registry.get(bob.id), "lobby")
        answers = await joining(ada, tab)
        await answers()
        await api.broadcast("marker")
        assert "<div>ada joined the room</div>" == (await bob.next())["html"]
        await bob.hears_nothing_but("marker")


@pytest.mark.parametrize("act", ["put out", "deleted"])
async def test_who_is_put_out_while_coming_in_is_not_in_and_nobody_is_told(server, api, joining, act):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("bob") as bob, server.socket("ada") as ada:
        answers = await joining(ada)
        assert 204 == (await api.delete("/rooms/lobby" + ("/members/ada" if act == "put out" else ""))).status_code
        (answer,) = await answers()
        assert CLOSED in answer["html"]
        assert NOT_IN == await refusal(ada, "send-message", {"message": "x", "roomId": "lobby"})
        await api.broadcast("marker")
        await bob.hears_nothing_but("marker")
    assert not server.hub.registry.in_room("lobby")


async def test_who_is_put_out_while_coming_in_again_is_out(server, api, gate, joining):
    gate.set()
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        gate.clear()
        gate.waiting = 0
        answers = await joining(ada)
        await api.delete("/rooms/lobby/members/ada")
        (answer,) = await answers()
        assert CLOSED in answer["html"]
        assert [()] == [tuple(one.rooms) for one in server.hub.registry]


async def test_a_page_that_closes_while_coming_in_leaves_nothing_behind(server, api, gate):
    async with server.socket("bob") as bob:
        async with server.socket("ada") as ada:
            await ada.say({"id": "1", "handler": "join-room", "target": "#a", "data": {"roomId": "lobby"}})
            await eventually(lambda: gate.waiting)
            assert 1 == len(server.hub.registry.in_room("lobby"))
        await server.connected(1)
        with told(server, "room.joined") as events:
            gate.set()
            await join(bob, "lobby")  # whoever joins after her is told, so what she caused has happened
        assert ["bob"] == [visit.user.id for _, visit in events]
        (there,) = server.hub.registry.in_room("lobby")
        assert bob.id == there.id


async def test_pages_that_join_and_close_at_once_leave_nothing_behind(server):
    for _ in range(50):
        async with server.socket("ada") as ada:
            await ada.say({"id": "1", "handler": "join-room", "target": "#a", "data": {"roomId": "lobby"}})
    await server.connected(0)
    await eventually(lambda: not any(task.get_coro().__name__ == "_work" for task in asyncio.all_tasks()))
    assert not server.hub.registry.in_room("lobby")


async def test_two_pages_of_a_user_that_come_and_go_at_once_end_as_the_server_says(server, api):
    """Whatever the order: who has a page in the room is a member of it."""
    async with server.socket("ada") as ada, server.socket("ada") as tab:
        for _ in range(20):
            await join(ada, "lobby")
            await asyncio.gather(ada.ask("leave-room", {}), join(tab, "lobby"))
            (member,) = (await api.get("/rooms/lobby/members?live=true")).json()["items"]
            assert ("ada", True) == (member["user_id"], member["is_live"])
            await tab.ask("leave-room", {})
            assert [] == (await api.get("/rooms/lobby/members")).json()["items"]
