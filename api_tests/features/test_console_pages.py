"""What the console's pages show and do: the same as the REST interface, with the same limits, in the same audit log."""

import re

import msgspec

from api_tests.client import ApiClient
from api_tests.features.operator import Operator, said
from api_tests.server import Running, run_server
from api_tests.waiting import eventually_told
from app.settings import Settings

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


async def test_every_page_is_shown(server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    async with Operator(server) as operator, server.socket("ada", name="Ada") as ada:
        for path in ("", "/connections", "/rooms", "/announcements", "/notifications", "/audit", "/keys"):
            answer = await operator.see(path)
            assert 200 == answer.status_code, path
            assert "no-store" == answer.headers["cache-control"]
        assert "Ada" in (await operator.see("/connection", id=ada.id)).text
        assert "Room lobby" in (await operator.see("/room", id="lobby")).text


async def test_an_announcement_is_tried_then_sent_then_recalled(server: Running, api: ApiClient):
    form = {"message": "Back in <five> minutes", "title": "Break", "priority": "high", "audience": "", "names": ""}
    times = {"publish_at": "", "expires_at": ""}
    async with Operator(server) as operator, server.socket("ada") as ada:
        tried = await operator.post("/announcements/announce", **form, **times, button="preview")
        assert "1 connection of 1 user would be shown this" in tried.text
        assert 'value="Break"' in tried.text
        assert [] == (await api.get("/announcements")).json()["items"]
        sent = await operator.post("/announcements/announce", **form, **times, button="announce")
        assert "/console/announcements?done=announced" == sent.headers["location"]
        assert "Back in &lt;five&gt; minutes" in (await ada.next_of("#announcements"))["html"]
        (made,) = (await api.get("/announcements")).json()["items"]
        recalled = await operator.post("/announcements/recall", id=made["id"])
        assert "/console/announcements?done=recalled" == recalled.headers["location"]
        assert [] == (await api.get("/announcements")).json()["items"]


WANTED = (
    ("everyone", "", {"kind": "everyone"}),
    ("users", "ada, bob", {"kind": "users", "ids": ["ada", "bob"]}),
    ("roles", "admin", {"kind": "roles", "names": ["admin"]}),
    ("rooms", "lobby\nkitchen", {"kind": "rooms", "ids": ["kitchen", "lobby"]}),
)


async def test_an_announcement_is_scheduled_for_whom_it_concerns(server: Running, api: ApiClient):
    times = {"publish_at": "2999-01-01T08:00", "expires_at": "2999-01-02T08:00"}
    async with Operator(server) as operator:
        for chosen, names, wanted in WANTED:
            form = {"message": f"Soon, {chosen}", "title": "", "priority": "low", "audience": chosen, "names": names}
            answer = await operator.post("/announcements/announce", **form, **times, button="announce")
            assert "done=scheduled" in answer.headers["location"]
            made = (await api.get("/announcements?state=scheduled")).json()["items"][0]
            if ids := made["audience"].get("ids"):
                made["audience"]["ids"] = sorted(ids)
            assert (wanted, "2999-01-01T08:00:00Z") == (made["audience"], made["publish_at"])
        listed = await operator.see("/announcements", state="scheduled")
        assert 4 == listed.text.count("Soon, ")
        assert "2999-01-01 08:00:00" in listed.text
        assert "Soon" not in (await operator.see("/announcements", state="expired")).text


async def test_what_is_wrong_in_a_form_is_said_and_nothing_of_it_is_lost(server: Running):
    async with Operator(server) as operator:
        for wrong, name in (
            ({"publish_at": "tomorrow"}, "publish_at"),
            ({"audience": "users"}, "names"),
            ({"message": ""}, "message"),
        ):
            form = {"message": "Typed for long", "title": "", "priority": "low", "audience": "", "names": ""}
            form |= {"publish_at": "", "expires_at": "", **wrong}
            answer = await operator.post("/announcements/announce", **form, button="announce")
            assert 422 == answer.status_code
            assert "what is marked is not right" in said(answer)
            (marked,) = re.findall(r'name="(\w+)"[^>]* aria-invalid="true" aria-describedby="wrong-\1" autofocus', answer.text)
            assert (name, True) == (marked, f'id="wrong-{name}">' in answer.text)
            assert form["message"] in answer.text


async def test_users_are_notified_and_their_inbox_is_shown(server: Running, api: ApiClient):
    form = {"user_ids": "ada, bob", "title": "Paid", "message": HOSTILE, "type": "info"}
    async with Operator(server) as operator, server.socket("ada") as ada:
        tried = await operator.post("/notifications/send", **form, button="preview")
        assert "1 connection of 1 user would be shown this" in tried.text
        assert "<img" not in tried.text
        sent = (await operator.post("/notifications/send", **form, button="send")).text
        assert "in the inbox of 2 users; 1 page shows it now" in sent
        assert "Not known here before, perhaps mistyped: <code>bob</code>." in sent
        assert 'name="title" value=""' in sent
        assert "Paid" in (await ada.next_of("#notifications"))["html"]
        inbox = (await operator.see("/notifications", user_id="bob", state="unread")).text
        assert "1 unread, 1 unseen" in inbox
        assert "Paid" in inbox
        again = (await operator.post("/notifications/send", **{**form, "user_ids": "bob"}, button="send")).text
        assert "in the inbox of 1 user; 0 pages show it now" in again
        assert "Not known here" not in again


async def test_rooms_are_made_and_deleted_and_users_let_in_and_put_out(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        made = await operator.post("/rooms/create", id="board", name="The board", is_private="1")
        assert "/console/room?id=board&done=room_made" == made.headers["location"]
        assert "The room was made." == said(await operator.see("/room", id="board", done="room_made"))
        assert 409 == (await operator.post("/rooms/create", id="board", name="")).status_code
        await operator.post("/room/let-in", id="board", user_id="ada")
        assert "ada" in (await operator.see("/room", id="board")).text
        await operator.post("/room/put-out", id="board", user_id="ada")
        assert [] == (await api.get("/rooms/board/members")).json()["items"]
        await operator.post("/room/delete", id="board")
        assert 404 == (await api.get("/rooms/board")).status_code
        assert "no room has this id" in said(await operator.see("/room", id="board"))


async def test_a_new_key_is_shown_once(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form = {"name": "till", "scopes": ["rooms:read", "broadcasts:write"], "targets": "#chat*", "expires_at": "2999-01-01T00:00"}
        made = await operator.post("/keys/create", **form)
        key = re.search(r'<code id="key">(wsx_\w+)</code>', made.text)[1]
        assert "no-store" == made.headers["cache-control"]
        assert key not in (await operator.see("/keys")).text
        (row,) = (await api.get("/api-keys")).json()["items"]
        assert ("till", ["broadcasts:write", "rooms:read"], ["#chat*"]) == (row["name"], row["scopes"], row["targets"])
        async with ApiClient(server.url, key) as till:
            assert 200 == (await till.get("/rooms")).status_code
            await operator.post("/keys/revoke", id=row["id"])
            assert 401 == (await till.get("/rooms")).status_code


async def test_a_key_makes_no_key_that_is_stronger_than_itself(server: Running, api: ApiClient):
    async with Operator(server, await api.key_with("keys:admin", "rooms:read")) as operator:
        text = (await operator.see("/keys")).text
        assert {"keys:admin", "rooms:read"} == set(re.findall(r'name="scopes" value="([^"]+)"', text))
        answer = await operator.post("/keys/create", name="x", scopes="admin", targets="", expires_at="")
        assert (403, True) == (answer.status_code, "cannot give what it has not" in said(answer))


async def test_what_is_done_here_is_in_the_audit_log_under_the_key(server: Running, api: ApiClient):
    key = await api.key_with("rooms:*", "audit:read")
    async with Operator(server, key) as operator:
        await operator.post("/rooms/create", id="lobby", name="")
        await operator.post("/connection/close", id="x")
        query = f"/audit-events?key_id={key.split('_')[1]}"

        async def noted() -> bool:
            events = (await api.get(query)).json()["items"]
            return {("create_room", 201), ("console_sign_in", 303)} <= {(one["operation"], one["status"]) for one in events}

        await eventually_told(noted)
        text = (await operator.see("/audit", operation="create_room", key_id=key.split("_")[1])).text
        assert "create_room" in text
        assert "lobby" in text
        assert "console_sign_in" not in text


async def test_what_is_asked_here_counts_as_requests_of_the_key(settings: Settings):
    few = msgspec.structs.replace(settings, api_rate_per_min=6)
    async with run_server(few) as server, Operator(server) as operator:
        statuses = [(await operator.see("/rooms")).status_code for _ in range(7)]
        assert 429 == statuses[-1]
        assert "retry-after" in (await operator.see("/rooms")).headers


async def test_a_key_that_only_reads_sees_no_button_and_is_refused_the_deed(server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "lobby"})
    await api.post("/announcements", {"message": "Hello", "priority": "high"})
    reads = [f"{thing}:read" for thing in ("connections", "rooms", "announcements", "notifications", "audit")]
    async with Operator(server, await api.key_with(*reads)) as operator, server.socket("ada") as ada:
        pages = ("", "/connections", "/rooms", "/announcements", "/notifications", "/audit")
        texts = [(await operator.see(path)).text for path in pages]
        texts += [(await operator.see("/connection", id=ada.id)).text, (await operator.see("/room", id="lobby")).text]
        actions = {action for text in texts for action in re.findall(r'method="post" action="([^"]+)"', text)}
        assert {"/console/sign-out"} == actions
        assert "/console/keys" not in "".join(texts)
        for path, fields in (
            ("/connection/close", {"id": ada.id}),
            ("/room/delete", {"id": "lobby"}),
            ("/keys/create", {"name": "x"}),
        ):
            answer = await operator.post(path, **fields)
            assert (403, True) == (answer.status_code, "has not the scope" in said(answer))
        assert 200 == (await api.get(f"/connections/{ada.id}")).status_code


async def test_a_key_that_only_writes_composes_and_sees_no_list(server: Running, api: ApiClient):
    await api.post("/announcements", {"message": "Secret", "priority": "low"})
    await api.post("/rooms", {"id": "behind-the-curtain"})
    key = await api.key_with("announcements:write", "rooms:write", "notifications:write")
    async with Operator(server, key) as operator:
        for path, act in (("/announcements", "announce"), ("/rooms", "create"), ("/notifications", "send")):
            text = (await operator.see(path)).text
            assert f'action="/console{path}/{act}"' in text
            assert "Secret" not in text
            assert "curtain" not in text
        form = {"message": "Hello", "title": "", "priority": "low", "audience": "rooms", "names": "lobby"}
        tried = await operator.post("/announcements/announce", **form, publish_at="", expires_at="", button="preview")
        assert "is for keys with <code>connections:read</code>" in tried.text
        made = await operator.post("/rooms/create", id="lobby", name="")
        assert "/console/rooms?done=room_made" == made.headers["location"]


async def test_names_of_users_and_rooms_are_text_and_nothing_else(server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "hostile", "name": HOSTILE})
    await api.post("/announcements", {"message": HOSTILE, "title": HOSTILE, "priority": "high"})
    await api.post("/api-keys", {"name": HOSTILE, "scopes": ["rooms:read"]})
    user = f"ada{HOSTILE}".replace("/", "")
    async with (
        Operator(server) as operator,
        server.socket(user, name=HOSTILE, roles=(HOSTILE,), headers={"User-Agent": HOSTILE}) as page,
    ):
        await page.ask("join-room", {"roomId": "<b>room</b>".replace("/", "")})
        for path, query in (
            ("/connections", {}),
            ("/connections", {"user_id": user}),
            ("/connection", {"id": page.id}),
            ("/rooms", {}),
            ("/room", {"id": "hostile"}),
            ("/announcements", {}),
            ("/notifications", {"user_id": HOSTILE}),
            ("/keys", {}),
            ("/audit", {"operation": HOSTILE}),
            ("/connections", {"node": HOSTILE}),
            ("/room", {"id": HOSTILE.replace("/", "")}),
        ):
            text = (await operator.see(path, **query)).text
            assert "<img" not in text, path
            assert "<b>room" not in text
            assert 'onerror=alert(1)>"' not in text
