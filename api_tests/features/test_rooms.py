"""Rooms over REST: made, changed, deleted; and who belongs to them, stored and live."""

from datetime import datetime, timedelta
from urllib.parse import quote

from api_tests.client import ApiClient
from api_tests.features.screen import XSS
from api_tests.features.talking import join
from api_tests.waiting import eventually
from app import wsx
from app.kernel.clock import utc_now


async def ids(answer, name="id"):
    return [item[name] for item in answer.json()["items"]]


# -- rooms -------------------------------------------------------------------------------------------------------------
async def test_a_room_is_made_and_found(api):
    made = await api.post("/rooms", {"id": "lobby", "name": XSS, "is_private": True})
    assert (201, "/api/v1/rooms/lobby") == (made.status_code, made.headers["location"])
    assert {"id": "lobby", "name": XSS, "is_private": True, "connections": 0}.items() <= made.json().items()
    assert utc_now() - datetime.fromisoformat(made.json()["created_at"]) < timedelta(minutes=1)
    assert made.json() == (await api.get("/rooms/lobby")).json() == (await api.get("/rooms")).json()["items"][0]


async def test_a_room_needs_neither_id_nor_name(api):
    named = (await api.post("/rooms", {"id": "lobby"})).json()
    unnamed = (await api.post("/rooms", {})).json()
    assert ("lobby", False) == (named["name"], named["is_private"])
    assert 32 == len(unnamed["id"]) == len(unnamed["name"])


async def test_there_is_one_room_of_an_id(api):
    made = (await api.post("/rooms", {"id": "lobby"})).json()
    again = await api.post("/rooms", {"id": "lobby", "name": "another"})
    told = "there is a room 'lobby' already; PATCH changes it, and its members stay"
    assert (409, told) == (again.status_code, again.json()["detail"])
    assert made == (await api.get("/rooms/lobby")).json()


async def test_an_id_may_be_any_text_that_stands_in_a_path(api):
    for room_id in ("a b", "a%b", "ä😀", "a.b", "a?b#c", "\u2028", "x" * 128, XSS):
        path = f"/rooms/{quote(room_id, safe='')}"
        made = await api.post("/rooms", {"id": room_id})
        assert (201, f"/api/v1{path}") == (made.status_code, made.headers["location"])
        assert made.json() == (await api.get(path)).json()


async def test_rooms_are_listed_by_id_page_by_page(api):
    for room_id in ("lobby", "attic", "kitchen"):
        await api.post("/rooms", {"id": room_id})
    first = await api.get("/rooms?limit=2")
    assert ["attic", "kitchen"] == await ids(first)
    cursor = first.json()["next_cursor"]
    assert f'<?limit=2&cursor={cursor}>; rel="next"' == first.headers["link"]
    rest = await api.get(f"/rooms?limit=2&cursor={cursor}")
    assert (["lobby"], None) == (await ids(rest), rest.json()["next_cursor"])


async def test_what_a_change_does_not_name_stays_and_who_is_in_a_room_stays_in_it(server, api):
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await join(ada, "lobby")
        expected = (await api.get("/rooms/lobby")).json()
        assert ("lobby", False, 1) == (expected["name"], expected["is_private"], expected["connections"])
        for change in ({"name": XSS}, {"is_private": True}, {}):
            expected |= change
            assert (200, expected) == ((answer := await api.call("PATCH", "/rooms/lobby", change)).status_code, answer.json())
        assert "cannot be joined" in (await bob.ask("join-room", {"roomId": "lobby"}))["html"]
        await wsx.send_to_room("lobby", "#status", "still in it")
        await ada.hears_nothing_but("still in it")
        await ada.ask("leave-room", {})
        assert "Joined" in (await ada.ask("join-room", {"roomId": "lobby"}))["html"]  # leaving a private room ends no membership


async def test_a_deleted_room_is_gone_with_its_members(server, api):
    await api.post("/rooms", {"id": "lobby"})
    await api.put("/rooms/lobby/members/ada")
    assert 204 == (await api.delete("/rooms/lobby")).status_code
    assert 404 == (await api.get("/rooms/lobby")).status_code
    await api.post("/rooms", {"id": "lobby"})
    assert [] == await ids(await api.get("/rooms/lobby/members"), "user_id")
    assert 200 == (await api.get("/users/ada")).status_code  # the user stays


# -- members -----------------------------------------------------------------------------------------------------------
async def test_a_user_is_let_in_once_and_a_new_one_gets_a_row(api):
    await api.post("/rooms", {"id": "board", "is_private": True})
    made = await api.put("/rooms/board/members/ada")
    assert (200, "ada", False) == (made.status_code, made.json()["user_id"], made.json()["is_live"])
    assert made.json() == (await api.put("/rooms/board/members/ada")).json()
    assert [made.json()] == (await api.get("/rooms/board/members")).json()["items"]
    assert 200 == (await api.get("/users/ada")).status_code


async def test_members_and_those_who_are_there_are_listed_by_id_page_by_page(server, api):
    async with (
        server.socket("dan") as dan,
        server.socket("ada") as ada,
        server.socket("ada") as tab,
        server.socket("cat") as cat,
        server.socket("eve") as eve,
    ):
        for page in (dan, ada, tab, cat):
            await join(page, "lobby")
        await api.put("/rooms/lobby/members/bob")
        wsx.join(wsx.connection(eve.id), "lobby")  # she hears the room, and is no member
        assert 5 == (await api.get("/rooms/lobby")).json()["connections"]
        for live, pages in {"false": [["ada", "bob", "cat"], ["dan"]], "true": [["ada", "cat", "dan"], []]}.items():
            first = await api.get(f"/rooms/lobby/members?limit=3&live={live}")
            assert pages[0] == await ids(first, "user_id")
            assert [user != "bob" for user in pages[0]] == await ids(first, "is_live")
            cursor = first.json()["next_cursor"]
            assert f"cursor={cursor}" in first.headers["link"]
            assert ("live=true" in first.headers["link"]) == (live == "true")
            rest = await api.get(f"/rooms/lobby/members?limit=3&live={live}&cursor={cursor}")
            assert (pages[1], None) == (await ids(rest, "user_id"), rest.json()["next_cursor"])
    await eventually(lambda: not len(server.hub.registry))
    assert [] == await ids(await api.get("/rooms/lobby/members?live=true"), "user_id")
    assert [False] * 4 == await ids(await api.get("/rooms/lobby/members"), "is_live")


async def test_a_member_is_put_out_once(api):
    await api.post("/rooms", {"id": "lobby"})
    await api.put("/rooms/lobby/members/ada")
    answers = [await api.delete("/rooms/lobby/members/ada") for _ in range(2)]
    assert [204, 404] == [answer.status_code for answer in answers]
    assert "this user is no member of the room" == answers[1].json()["detail"]


# -- what is refused ---------------------------------------------------------------------------------------------------
async def test_what_does_not_exist_is_not_found(api):
    answers = [
        await api.get("/rooms/nowhere"),
        await api.call("PATCH", "/rooms/nowhere", {"name": "x"}),
        await api.delete("/rooms/nowhere"),
        await api.get("/rooms/nowhere/members"),
        await api.get("/rooms/nowhere/members?live=true"),
        await api.put("/rooms/nowhere/members/ada"),
        await api.delete("/rooms/nowhere/members/ada"),
    ]
    assert [404] * len(answers) == [answer.status_code for answer in answers]
    assert 404 == (await api.get("/users/ada")).status_code  # who was to be let in nowhere is nobody


WRONG = [
    ({"id": ""}, "/id"),
    ({"id": 5}, "/id"),
    ({"id": None}, "/id"),
    ({"id": "x" * 129}, "/id"),
    *(({"id": wrong}, "/id") for wrong in (" a", "a ", "a\n", "\na", "a/b", "a\0", "a\tb", "a\x7f", "/", " ")),
    ({"name": ""}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"name": "a\0b"}, "/name"),
    ({"name": None}, "/name"),
    ({"is_private": "yes"}, "/is_private"),
    ({"is_private": None}, "/is_private"),
    ({"private": True}, "/private"),
]


async def test_a_wrong_room_is_refused_by_name_and_not_stored(api):
    made = (await api.post("/rooms", {"id": "lobby"})).json()
    for body, pointer in WRONG:
        answers = [await api.post("/rooms", {"id": "kitchen", **body})]
        if pointer != "/id":
            answers.append(await api.call("PATCH", "/rooms/lobby", body))
        assert {(422, pointer)} == {(one.status_code, one.json()["errors"][0]["pointer"]) for one in answers}, body
    assert [made] == (await api.get("/rooms")).json()["items"]


async def test_a_wrong_query_or_path_is_named(api):
    await api.post("/rooms", {"id": "lobby"})
    for call, pointer in {
        "/rooms?limit=0": "?limit",
        "/rooms?cursor=~": "?cursor",
        "/rooms/lobby/members?live=perhaps": "?live",
        "/rooms/lobby/members?cursor=~": "?cursor",
        "/rooms/lobby/members?live=true&cursor=~": "?cursor",
        f"/rooms/{'x' * 129}": "{room_id}",
        f"/rooms/{'x' * 129}/members": "{room_id}",
    }.items():
        answer = await api.get(call)
        assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
    answer = await api.put(f"/rooms/lobby/members/{'x' * 129}")
    assert (422, "{user_id}") == (answer.status_code, answer.json()["errors"][0]["pointer"])
    answer = await api.put("/rooms/lobby/members/a%00b")
    assert (422, "{user_id}") == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_each_call_needs_its_scope(server, api):
    await api.post("/rooms", {"id": "lobby"})
    reads = [("GET", "/rooms", None), ("GET", "/rooms/lobby", None), ("GET", "/rooms/lobby/members", None)]
    writes = [
        ("POST", "/rooms", {}),
        ("PATCH", "/rooms/lobby", {}),
        ("PUT", "/rooms/lobby/members/ada", None),
        ("DELETE", "/rooms/lobby/members/ada", None),
        ("DELETE", "/rooms/lobby", None),
    ]
    reader, writer = await api.key_with("rooms:read"), await api.key_with("rooms:write")
    for key, may, may_not in ((reader, reads, writes), (writer, writes, reads), (None, [], reads + writes)):
        async with ApiClient(server.url, key) as client:
            refused = [(await client.call(*call)).status_code for call in may_not]
            assert [401 if key is None else 403] * len(may_not) == refused
            assert all([(await client.call(*call)).is_success for call in may])
