"""Chat: saying something in a room, and writing to somebody; with all that is refused."""

import msgspec
import pytest

from api_tests.db.beside import others_write, rows
from api_tests.features.screen import ESCAPED, XSS, refusal, refuses_wrong_data
from api_tests.features.talking import join, say, told
from api_tests.server import run_server
from api_tests.waiting import eventually
from app import wsx
from app.kernel.clock import utc_now


@pytest.fixture
async def server(settings):
    async with run_server(msgspec.structs.replace(settings, socket_rate_per_s=10_000, socket_burst=10_000)) as running:
        yield running


# -- saying something --------------------------------------------------------------------------------------------------
async def test_what_is_said_is_escaped_and_shown_to_all_in_the_room_the_author_included(server):
    async with server.socket("ada", name=XSS) as ada, server.socket("bob") as bob:
        await join(bob, "lobby")
        await join(ada, "lobby")
        await bob.next_of("#room-activity")
        began = utc_now()
        with told(server, "message.sent") as events:
            answer = await ada.ask("send-message", {"message": f"  {XSS}\n", "roomId": "lobby"}, target="#form", swap="delete")
        assert ("#message-input", "outerHTML") == (answer["target"], answer["swap"])
        assert '<input type="text" id="message-input" name="message" placeholder="Type a message..." />' == answer["html"]
        said = await bob.next()
        ((_, event),) = events
        assert ("#chat-messages", "beforeend") == (said["target"], said["swap"])
        assert said["html"].startswith(f'<div class="message" data-message-id="{event.id}">')
        assert f'<span class="user">{ESCAPED}</span>' in said["html"]
        assert f'<span class="content">{ESCAPED}</span>' in said["html"]
        assert any(f'<time datetime="{day:%Y-%m-%dT}' in said["html"] for day in (began, utc_now()))
    assert ("lobby", None, "ada", XSS, XSS) == (event.room_id, event.recipient_id, event.sender_id, event.author, event.content)


@pytest.mark.parametrize("handler", ["send-message", "private-message"])
async def test_a_message_has_one_to_ten_thousand_characters(server, api, handler):
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        where = {"roomId": "lobby"} if handler == "send-message" else {"recipientId": "ada"}
        assert "This cannot be used: message must not be empty." == await refusal(ada, handler, {**where, "message": ""})
        assert "Please write something first" == await refusal(ada, handler, {**where, "message": " \n\t"})
        assert "empty_message" == ada.errors[0]["code"]
        long = "This cannot be used: message may have 10000 characters at most."
        assert long == await refusal(ada, handler, {**where, "message": "x" * 10_001})
        assert "holds characters that are not allowed" in await refusal(ada, handler, {**where, "message": "a\0b"})
        assert [] == (await api.get("/rooms/lobby/messages")).json()["items"]
        answer = await ada.ask(handler, {**where, "message": "ä" * 10_000})
        assert "error" not in answer["html"]


async def test_a_frame_over_the_limit_closes_the_page(server, api):
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await join(ada, "lobby")
        await join(bob, "lobby")
        await ada.say({"handler": "send-message", "data": {"message": "x" * 65_536, "roomId": "lobby"}})
        assert 1009 == (await ada.closed())[0]
        await api.broadcast("marker")
        await bob.hears_nothing_but("marker")
    assert [] == (await api.get("/rooms/lobby/messages")).json()["items"]


async def test_the_emptied_field_may_be_a_fragment_of_the_sites_own(settings, tmp_path):
    own = tmp_path / "templates" / "chat" / "emptied-input.html"
    own.parent.mkdir(parents=True)
    own.write_text('<textarea id="message-input" name="message"></textarea>\n')
    async with run_server(msgspec.structs.replace(settings, templates=str(tmp_path / "templates"))) as server:
        async with server.socket("ada") as ada:
            await join(ada, "lobby")
            answer = await ada.ask("send-message", {"message": "x", "roomId": "lobby"})
        assert ("#message-input", '<textarea id="message-input" name="message"></textarea>') == (answer["target"], answer["html"])


async def test_a_page_that_the_sites_own_code_put_into_a_room_nobody_made_says_nothing_there(server):
    async with server.socket("ada") as ada:
        wsx.join(wsx.connection(ada.id), "nowhere")
        assert "You are not in this room" == await refusal(ada, "send-message", {"message": "x", "roomId": "nowhere"})
        assert "not_in_room" == ada.errors[0]["code"]


# -- writing to somebody -----------------------------------------------------------------------------------------------
async def test_a_private_message_is_on_all_pages_of_its_recipient_and_on_no_others(server, api):
    async with (
        server.socket("ada", name=XSS) as ada,
        server.socket("bob") as bob,
        server.socket("bob") as tab,
        server.socket("zoe") as zoe,
    ):
        with told(server, "message.sent") as events:
            answer = await ada.ask("private-message", {"recipientId": "bob", "message": XSS})
        assert ("#answer", "<div>Message sent to user bob</div>") == (answer["target"], answer["html"])
        await api.broadcast("marker")
        for page in (bob, tab):
            message = await page.next()
            assert ("#messages", "beforeend") == (message["target"], message["swap"])
            assert message["html"].startswith(f'<div class="private-message" data-message-id="{events[0][1].id}">')
            assert f'<span class="user">{ESCAPED}</span>' in message["html"]
            assert f'<span class="content">{ESCAPED}</span>' in message["html"]
        for page in (ada, bob, tab, zoe):
            await page.hears_nothing_but("marker")
    assert (None, "bob", "ada") == (events[0][1].room_id, events[0][1].recipient_id, events[0][1].sender_id)


async def test_a_private_message_is_for_users_who_exist_however_odd_their_ids(server, api):
    await api.post("/notifications", {"user_ids": [XSS], "title": "x"})
    async with server.socket("ada") as ada:
        answer = await ada.ask("private-message", {"recipientId": XSS, "message": "x"})
        assert f"<div>Message sent to user {ESCAPED}</div>" == answer["html"]
        assert "There is no such user" == await refusal(ada, "private-message", {"recipientId": "nobody", "message": "x"})
        assert "not_found" == ada.errors[0]["code"]


# -- what is refused ---------------------------------------------------------------------------------------------------
async def test_who_is_not_signed_in_may_do_nothing(server, api):
    async with server.socket() as nobody:
        for handler, to_do in {
            "join-room": "join rooms",
            "leave-room": "leave rooms",
            "send-message": "send messages",
            "private-message": "send messages",
        }.items():
            data = {"roomId": "lobby", "message": "x", "recipientId": "ada"}
            assert f"Please log in to {to_do}" == await refusal(nobody, handler, data)
            assert "not_signed_in" == nobody.errors[0]["code"]
    assert [] == (await api.get("/rooms")).json()["items"]


async def test_data_of_other_types_is_refused_by_name(server, api):
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        await refuses_wrong_data(ada, "join-room", {"roomId": "kitchen"})
        await refuses_wrong_data(ada, "leave-room", {"roomId": "lobby"}, optional="roomId")
        await refuses_wrong_data(ada, "send-message", {"message": "x", "roomId": "lobby"})
        await refuses_wrong_data(ada, "private-message", {"recipientId": "ada", "message": "x"})
    assert ["lobby"] == [room["id"] for room in (await api.get("/rooms")).json()["items"]]


async def test_what_can_be_no_room_is_not_joined(server, api):
    async with server.socket("ada") as ada:
        for room_id in ("", " lobby", "lobby ", "lobby\n", "a/b", "a\0b", "a\tb", "x" * 129):
            assert "This cannot be used: roomId " in await refusal(ada, "join-room", {"roomId": room_id})
    assert [] == (await api.get("/rooms")).json()["items"]


async def test_a_room_may_have_any_name_and_is_escaped(server, api):
    async with server.socket("ada") as ada:
        answer = await ada.ask("join-room", {"roomId": XSS})
        assert f"<div>Joined room {ESCAPED}</div>" == answer["html"]
    assert [XSS] == [room["name"] for room in (await api.get("/rooms")).json()["items"]]


async def test_while_the_database_is_away_nobody_comes_or_leaves(impatient, settings):
    async with run_server(settings) as server, server.socket("ada") as ada:
        await join(ada, "lobby")
        written_down = "SELECT count(*) FROM users WHERE last_connected_at IS NOT NULL"
        await eventually(lambda: [(1,)] == rows(settings, written_down))  # the server has nothing more to write by itself
        async with others_write(settings):
            for handler, data in {
                "join-room": {"roomId": "kitchen"},
                "leave-room": {},
                "send-message": {"message": "x", "roomId": "lobby"},
            }.items():
                ada.errors.clear()
                assert "This does not work at the moment. Please try again." in (await ada.ask(handler, data))["html"]
                assert ["unavailable"] == [error["code"] for error in ada.errors]
            assert ["lobby"] == [room for one in server.hub.registry for room in one.rooms]
        await say(ada, "it is back")
        assert "<div>Left room</div>" == (await ada.ask("leave-room", {}))["html"]
