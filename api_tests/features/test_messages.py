"""Messages over REST: listed, said in somebody's name, edited and removed on every screen that shows them."""

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.features.screen import ESCAPED, XSS, Screen
from api_tests.features.talking import CHAT, join, say, told
from api_tests.server import run_server

MISSING = "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"


@pytest.fixture
async def lobby(api):
    """A room's messages; there is the room."""
    assert 201 == (await api.post("/rooms", {"id": "lobby"})).status_code
    return "/rooms/lobby/messages"


async def test_the_back_office_says_something_like_anybody_else(server, api, lobby):
    key = await api.key_with("messages:write")
    async with server.socket("ada") as ada, server.socket("ada") as tab, ApiClient(server.url, key) as shop:
        for page in (ada, tab):
            await join(page, "lobby")
        with told(server, "message.sent") as events:
            answer = await shop.post(lobby, {"message": XSS})
        made = answer.json()
        assert (201, f"/api/v1/messages/{made['id']}") == (answer.status_code, answer.headers["location"])
        assert {
            "room_id": "lobby",
            "recipient_id": None,
            "sender_id": None,
            "author": "test",
            "message": XSS,
        }.items() <= made.items()
        assert (2, 2, None) == (made["matched"], made["queued"], made["edited_at"])
        for page in (ada, tab):
            said = await page.next()
            assert (CHAT, "beforeend") == (said["target"], said["swap"])
            assert said["html"].startswith(f'<div class="message" data-message-id="{made["id"]}">')
            assert f'<span class="content">{ESCAPED}</span>' in said["html"]
    assert [("message.sent", made["id"], None, "test")] == [(name, one.id, one.sender_id, one.author) for name, one in events]
    stored = {name: value for name, value in made.items() if name not in {"matched", "queued"}}
    assert stored == (await api.get(f"/messages/{made['id']}")).json() == (await api.get(lobby)).json()["items"][0]


async def test_it_speaks_in_the_name_of_a_user_whoever_knows_the_name_best(server, api, lobby):
    await api.put("/users/zoe", {"name": "Zoe of the row"})
    async with server.socket("ada", name=XSS):
        named = [(await api.post(lobby, {"message": "x", "user_id": user})).json() for user in ("ada", "zoe", "new")]
    assert [("ada", XSS), ("zoe", "Zoe of the row"), ("new", "new")] == [(one["sender_id"], one["author"]) for one in named]
    assert 200 == (await api.get("/users/new")).status_code


async def test_a_rooms_messages_are_listed_newest_first_page_by_page(api, lobby):
    for number in range(5):
        await api.post(lobby, {"message": str(number)})
    first = await api.get(f"{lobby}?limit=3")
    assert ["4", "3", "2"] == [one["message"] for one in first.json()["items"]]
    cursor = first.json()["next_cursor"]
    assert f'<?limit=3&cursor={cursor}>; rel="next"' == first.headers["link"]
    rest = (await api.get(f"{lobby}?limit=3&cursor={cursor}")).json()
    assert (["1", "0"], None) == ([one["message"] for one in rest["items"]], rest["next_cursor"])


async def test_an_edit_changes_the_message_on_every_screen_of_the_room(server, api, lobby):
    made = (await api.post(lobby, {"message": "before"})).json()
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        shown = await join(ada, "lobby")
        assert ["before"] == shown.texts
        edited = (await api.call("PATCH", f"/messages/{made['id']}", {"message": XSS})).json()
        await api.broadcast("marker")
        update = await ada.next()
        assert (f'[data-message-id="{made["id"]}"]', "outerHTML") == (update["target"], update["swap"])
        assert '<span class="edited">edited</span>' in update["html"]
        shown.apply(update)
        assert ([made["id"]], [ESCAPED]) == (shown.ids, shown.texts)
        await bob.hears_nothing_but("marker")
        assert (await join(bob, "lobby")).items == shown.items
    assert (XSS, True) == (edited["message"], edited["edited_at"] > edited["created_at"])
    assert edited == (await api.get(f"/messages/{made['id']}")).json()


async def test_a_message_that_is_removed_leaves_every_screen(server, api, lobby):
    made = (await api.post(lobby, {"message": "oops"})).json()
    async with server.socket("ada") as ada:
        shown = await join(ada, "lobby")
        assert 204 == (await api.delete(f"/messages/{made['id']}")).status_code
        update = await ada.next()
        assert (f'[data-message-id="{made["id"]}"]', "delete") == (update["target"], update["swap"])
        shown.apply(update)
        assert [] == shown.items == (await join(ada, "lobby")).items
    assert 404 == (await api.get(f"/messages/{made['id']}")).status_code
    assert 404 == (await api.delete(f"/messages/{made['id']}")).status_code
    assert 404 == (await api.call("PATCH", f"/messages/{made['id']}", {"message": "x"})).status_code


async def test_private_messages_are_edited_and_removed_on_all_pages_of_their_recipient(server, api):
    async with server.socket("ada") as ada, server.socket("bob") as bob, server.socket("bob") as tab:
        with told(server, "message.sent") as events:
            await ada.ask("private-message", {"recipientId": "bob", "message": "before"})
        path = f"/messages/{events[0][1].id}"
        private = (await api.get(path)).json()
        assert (None, "bob", "ada", "before") == tuple(
            private[name] for name in ("room_id", "recipient_id", "sender_id", "message")
        )
        await api.call("PATCH", path, {"message": "after"})
        await api.delete(path)
        await api.broadcast("marker")
        for page in (bob, tab):
            shown = Screen("#messages")
            for expected in (["before"], ["after"], []):
                shown.apply(await page.next())
                assert expected == shown.texts
        for page in (ada, bob, tab):
            await page.hears_nothing_but("marker")


async def test_who_joins_is_shown_no_more_than_fits_into_64_kib_of_html_and_the_newest_message_in_any_case(server, api):
    await api.post("/rooms", {"id": "lobby"})
    async with server.socket("ada") as ada:
        for text in ("far too much", "<" * 10_000, "<" * 5_000, "the newest"):
            await api.post("/rooms/lobby/messages", {"message": text})
        shown = await join(ada, "lobby")
        assert ["&lt;" * 10_000, "&lt;" * 5_000, "the newest"] == shown.texts[-3:]
        for _ in range(50):
            await api.post("/rooms/lobby/messages", {"message": "<" * 10_000})
        answer = await ada.ask("join-room", {"roomId": "lobby"})
        (history,) = answer["oob"]
        assert 1 == history["html"].count('class="message"')
        assert len(history["html"].encode()) <= 64 * 1024


async def test_messages_go_with_their_room_and_stay_without_their_members(server, api, lobby):
    async with server.socket("ada") as ada:
        await join(ada, "lobby")
        await say(ada, "stays")
        (said,) = (await api.get(lobby)).json()["items"]
        await ada.ask("leave-room", {})
    assert said == (await api.get(lobby)).json()["items"][0]
    await api.delete("/rooms/lobby")
    assert 404 == (await api.get(f"/messages/{said['id']}")).status_code


async def test_what_does_not_exist_is_not_found(api):
    answers = [
        await api.get("/rooms/nowhere/messages"),
        await api.post("/rooms/nowhere/messages", {"message": "x"}),
        await api.post("/rooms/nowhere/messages", {"message": "x", "user_id": "ada"}),
        await api.get(f"/messages/{MISSING}"),
        await api.get("/messages/x"),
        await api.call("PATCH", f"/messages/{MISSING}", {"message": "x"}),
        await api.delete(f"/messages/{MISSING}"),
    ]
    assert [404] * len(answers) == [answer.status_code for answer in answers]
    assert 404 == (await api.get("/users/ada")).status_code  # who was to speak nowhere is nobody


WRONG = [
    ({}, "/message"),
    ({"message": ""}, "/message"),
    ({"message": 5}, "/message"),
    ({"message": None}, "/message"),
    ({"message": "a\0b"}, "/message"),
    ({"message": "x" * 10_001}, "/message"),
    ({"message": "x", "user_id": ""}, "/user_id"),
    ({"message": "x", "user_id": "x" * 129}, "/user_id"),
    ({"message": "x", "user_id": 5}, "/user_id"),
    ({"message": "x", "html": "<b>x</b>"}, "/html"),
]


async def test_a_wrong_message_is_refused_by_name_and_not_stored(api, lobby):
    made = (await api.post(lobby, {"message": "x" * 10_000})).json()
    for body, pointer in WRONG:
        answers = [await api.post(lobby, body)]
        if pointer == "/message":
            answers.append(await api.call("PATCH", f"/messages/{made['id']}", body))
        assert {(422, pointer)} == {(one.status_code, one.json()["errors"][0]["pointer"]) for one in answers}, body
    assert ["x" * 10_000] == [one["message"] for one in (await api.get(lobby)).json()["items"]]


async def test_each_call_needs_its_scope(server, api, lobby):
    made = (await api.post(lobby, {"message": "x"})).json()
    reads = [("GET", lobby, None), ("GET", f"/messages/{made['id']}", None)]
    writes = [
        ("POST", lobby, {"message": "x"}),
        ("PATCH", f"/messages/{made['id']}", {"message": "x"}),
        ("DELETE", f"/messages/{made['id']}", None),
    ]
    reader, writer = await api.key_with("messages:read"), await api.key_with("messages:write")
    for key, may, may_not in ((reader, reads, writes), (writer, writes, reads), (None, [], reads + writes)):
        async with ApiClient(server.url, key) as client:
            refused = [(await client.call(*call)).status_code for call in may_not]
            assert [401 if key is None else 403] * len(may_not) == refused
            assert all([(await client.call(*call)).is_success for call in may])


async def test_messages_outlive_the_server(settings):
    room = "/rooms/lobby/messages"
    quick = msgspec.structs.replace(settings, drain_s=0.1)
    async with run_server(quick) as server, ApiClient(server.url, settings.admin_key) as api, server.socket("ada") as ada:
        await join(ada, "lobby")
        await say(ada, "still here")
        said = (await api.get(room)).json()
    async with run_server(quick) as server, ApiClient(server.url, settings.admin_key) as api, server.socket("ada") as ada:
        assert said == (await api.get(room)).json()
        assert ["still here"] == (await join(ada, "lobby")).texts
