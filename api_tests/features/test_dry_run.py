"""`?dry_run=true`: who would hear and what they would see; nothing is sent, and nothing is stored but that it was asked."""

import asyncio
from typing import Any

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import all_stored, rows
from api_tests.server import Running
from api_tests.waiting import eventually
from app.features import dry_run
from app.features.users import service
from app.hub.audience import Audience
from app.hub.everywhere import Count, Everywhere
from app.main import ROUTES

EVERYONE = {"kind": "everyone"}
SIGNED_IN = {"kind": "signed_in"}
NEAR = {"name": "Square", "latitude": 52.5, "longitude": 13.4}
CONTENT = {
    "target": "#a",
    "html": "<b>é</b><script>x()</script>",
    "oob": [{"target": "#b", "template": "notice", "context": {"title": "x"}}],
}

NOT_WRITTEN_YET = "SELECT (SELECT count(*) FROM users WHERE last_connected_at IS NULL) + (SELECT count(*) FROM unsent)"
"""What the server still has to write down of what came before."""

CALLS: dict[str, tuple[str, Any, str, str]] = {
    "create_broadcast": ("/broadcasts", {"audience": SIGNED_IN, **CONTENT}, "broadcasts:write", "<b>é</b>"),
    "create_broadcast_batch": (
        "/broadcasts/batch",
        {"updates": [{"audience": SIGNED_IN, **CONTENT}]},
        "broadcasts:write",
        "<b>é</b>",
    ),
    "send_update": ("/connections/{connection}/updates", CONTENT, "connections:write", "<b>é</b>"),
    "send_user_updates": ("/users/updates", {"updates": [{"user_id": "ada", **CONTENT}]}, "users:write", "<b>é</b>"),
    "create_announcement": ("/announcements", {"message": "<i>", "priority": "high"}, "announcements:write", "<p>&lt;i&gt;</p>"),
    "create_notifications": (
        "/notifications",
        {"user_ids": ["ada", "eve"], "title": "<i>"},
        "notifications:write",
        "&lt;i&gt;</span>",
    ),
    "create_room_message": ("/rooms/{room}/messages", {"message": "<i>", "user_id": "ada"}, "messages:write", ">&lt;i&gt;</span>"),
    "create_local_event": ("/local-events", {"title": "<i>", "location": NEAR}, "broadcasts:write", "<h4>&lt;i&gt;</h4>"),
    "create_maintenance": (
        "/maintenance",
        {"message": "<i>", "scheduled_time": "2030-01-01T00:00:00Z"},
        "broadcasts:write",
        "<p>&lt;i&gt;</p>",
    ),
}


def test_every_call_that_sends_has_a_dry_run() -> None:
    assert CALLS.keys() == {route.operation_id for route in ROUTES if route.opt["dry_run"]}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("hasty_recorder")
async def test_a_dry_run_tells_what_the_call_would_do_and_does_nothing(server: Running, api: ApiClient, name: str) -> None:
    path, body, scope, shown = CALLS[name]
    room = (await api.post("/rooms", {})).json()["id"]
    limited = await api.key_with(scope, "connections:read")
    async with (
        server.socket("ada", name="Ada") as page,
        server.socket("ada", name="Ada") as other,
        ApiClient(server.url, limited) as key,
    ):
        for one in (page, other):
            await one.ask("join-room", {"roomId": room})
            await one.ask("set-location", NEAR)
        await api.broadcast("begin")
        for one in (page, other):
            await one.next_of("#status")
        await eventually(lambda: [(0,)] == rows(server.settings, NOT_WRITTEN_YET))
        before = all_stored(server.settings, but="audit_events")
        path = path.format(connection=page.id, room=room)
        tried = await key.post(f"{path}?dry_run=true", body)
        assert 200 == tried.status_code, tried.text
        told = tried.json()
        there = [page] if name == "send_update" else [page, other]
        assert (len(there), 1, []) == (told["matched"], told["users"], told["incomplete"])
        assert [("ada", "Ada")] * len(there) == [(one["user_id"], one["user_name"]) for one in told["examples"]]
        assert {one.id for one in there} == {one["connection"] for one in told["examples"]}
        (update,) = told["updates"]
        assert shown in update["html"]
        size = len(update["html"].encode()) + sum(len(part["html"].encode()) for part in update["oob"])
        assert size == update["bytes"] == told["bytes"]
        assert before == all_stored(server.settings, but="audit_events")
        await api.broadcast("the end")
        for one in (page, other):
            await one.hears_nothing_but("the end")
        done = await key.post(path, body)
        assert done.status_code in {201, 202}
        heard = await page.next()
        heard = heard["updates"][0] if "updates" in heard else heard
        assert (update["target"], update["swap"]) == (heard["target"], heard["swap"])
        assert len(update["html"]) == len(heard["html"])


WRONG: dict[str, tuple[Any, int]] = {
    "create_broadcast": ({"audience": EVERYONE, "target": "#a"}, 422),
    "create_broadcast_batch": ({"updates": []}, 422),
    "send_update": ({"target": "#a", "html": "x"}, 404),
    "send_user_updates": ({"updates": [{"user_id": "", "target": "#a", "html": "x"}]}, 422),
    "create_announcement": ({"message": "x", "priority": "high", "expires_at": "2001-01-01T00:00:00Z"}, 422),
    "create_notifications": ({"user_ids": [], "title": "x"}, 422),
    "create_room_message": ({"message": "x"}, 404),
    "create_local_event": ({"title": "x", "location": {**NEAR, "latitude": 91}}, 422),
    "create_maintenance": ({"message": "x", "scheduled_time": "0001-01-01T00:00:00+14:00"}, 422),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_dry_run_refuses_what_the_call_refuses(server: Running, api: ApiClient, name: str) -> None:
    path, _, scope, _ = CALLS[name]
    body, status = WRONG[name]
    path = path.format(connection="none", room="none")
    told = []
    for query in ("?dry_run=true", "?dry_run=false", ""):
        answer = await api.post(path + query, body)
        told.append((answer.status_code, answer.json()["detail"], answer.json().get("errors")))
    assert status == told[0][0]
    assert told[0] == told[1] == told[2]
    async with ApiClient(server.url, await api.key_with("follows:read")) as weak:
        refused = await weak.post(f"{path}?dry_run=true", body)
        assert (403, True) == (refused.status_code, scope in refused.json()["detail"])
    for query in ("dry_run=maybe", "dry_run=true&dry_run=false"):
        unclear = await api.post(f"{path}?{query}", body)
        assert (422, "?dry_run") == (unclear.status_code, unclear.json()["errors"][0]["pointer"])


async def test_who_they_are_is_for_keys_that_may_see_connections(server: Running, api: ApiClient) -> None:
    body = {"audience": EVERYONE, "target": "#a", "html": "x"}
    async with ApiClient(server.url, await api.key_with("broadcasts:write")) as blind, server.socket("ada"):
        told = (await blind.post("/broadcasts?dry_run=true", body)).json()
        assert (1, 1, None) == (told["matched"], told["users"], told["examples"])
        assert 1 == len((await api.post("/broadcasts?dry_run=true", body)).json()["examples"])


ADA = {"kind": "users", "ids": ["ada"]}
BOB = {"kind": "users", "ids": ["bob"]}
CIRCLE = {"kind": "near", "latitude": 52.5, "longitude": 13.4, "radius_km": 0.05}
STAFF = {"kind": "roles", "names": ["staff"]}
FOLLOWERS = {"kind": "followers_of", "user_id": "bob"}
FRIENDS = {"kind": "friends_of", "user_id": "bob"}
LOBBY = {"kind": "rooms", "ids": ["lobby"]}


def any_of(*audiences: Any) -> Any:
    return {"kind": "any_of", "audiences": audiences}


def all_of(*audiences: Any) -> Any:
    return {"kind": "all_of", "audiences": audiences}


def except_(audience: Any, excluded: Any) -> Any:
    return {"kind": "except", "audience": audience, "excluded": excluded}


async def test_a_key_that_may_not_see_connections_cannot_find_out_where_somebody_is(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await api.key_with("broadcasts:write")) as blind, server.socket("ada") as page:
        await page.ask("set-location", NEAR)

        async def told(key: ApiClient, audience: Any) -> tuple[Any, ...]:
            content = {"audience": audience, "target": "#a", "html": "x"}
            alone = (await key.post("/broadcasts?dry_run=true", content)).json()
            (in_batch,) = (await key.post("/broadcasts/batch?dry_run=true", {"updates": [content]})).json()["updates"]
            assert (alone["matched"], alone["users"]) == (in_batch["matched"], in_batch["users"])
            return alone["matched"], alone["users"]

        hidden = (
            CIRCLE,
            LOBBY,
            FOLLOWERS,
            FRIENDS,
            all_of(ADA, CIRCLE),
            except_(ADA, CIRCLE),
            any_of(CIRCLE, BOB),
            all_of(STAFF, ADA),
        )
        for audience in hidden:
            assert (None, None) == await told(blind, audience)
        for audience in (all_of(ADA, CIRCLE), any_of(CIRCLE, BOB)):
            assert (1, 1) == await told(api, audience)
        for audience in (ADA, any_of(ADA, BOB), except_(SIGNED_IN, STAFF), any_of(EVERYONE, STAFF)):
            assert (1, 1) == await told(blind, audience)
        updates = [{"audience": audience, "target": "#a", "html": "x"} for audience in (ADA, CIRCLE, ADA)]
        batch = (await blind.post("/broadcasts/batch?dry_run=true", {"updates": updates})).json()
        assert ([1, None, 1], None, None, None) == (
            [update["matched"] for update in batch["updates"]],
            *(batch[name] for name in ("matched", "users", "examples")),
        )
        event = {"title": "x", "location": NEAR, "radius_km": 0.05}
        assert (await blind.post("/local-events?dry_run=true", event)).json()["matched"] is None


async def test_own_lines_are_those_of_nobody_for_a_key_that_may_not_see_whose_they_are(server: Running, api: ApiClient) -> None:
    async with server.socket("ada", name="Ada Secret"):
        for scopes in (["users:write"], ["users:*"], ["users:write", "connections:read"]):
            async with ApiClient(server.url, await api.key_with(*scopes)) as key:
                told = (await key.post("/users/updates?dry_run=true", {"updates": None})).json()
            assert (1, 1) == (told["matched"], told["users"])
            assert ['<div class="user-update">NAME - STATUS</div>'] == [update["html"] for update in told["updates"]]
        async with ApiClient(server.url, await api.key_with("users:*", "connections:read")) as key:
            assert "Ada Secret" in (await key.post("/users/updates?dry_run=true", {"updates": None})).text


async def test_how_many_notifications_wait_is_for_keys_that_may_read_them(server: Running, api: ApiClient) -> None:
    body = {"user_ids": ["ada"], "title": "x"}
    for _ in range(2):
        await api.post("/notifications", body)
    for scope, shown in (("notifications:write", "1"), ("notifications:*", "3")):
        async with ApiClient(server.url, await api.key_with(scope)) as key:
            (update,) = (await key.post("/notifications?dry_run=true", body)).json()["updates"]
        assert [shown] == [part["html"] for part in update["oob"]]


async def test_of_a_batch_each_audience_is_counted_in_a_turn_of_its_own(
    server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, turns, count = [], [0], Everywhere.count

    def turn() -> None:
        turns[0] += 1
        ticking[0] = asyncio.get_running_loop().call_soon(turn)

    async def counting(everywhere: Everywhere, audience: Audience) -> Count:
        counted.append(turns[0])
        return await count(everywhere, audience)

    monkeypatch.setattr(Everywhere, "count", counting)
    names = [f"user-{number}" for number in range(20)]
    updates = [{"audience": {"kind": "users", "ids": [name]}, "target": "#a", "html": "x"} for name in names]
    ticking = [asyncio.get_running_loop().call_soon(turn)]
    try:
        assert 200 == (await api.post("/broadcasts/batch?dry_run=true", {"updates": updates})).status_code
    finally:
        ticking[0].cancel()
    assert 21 == len(counted) == len(set(counted))


async def test_examples_are_few_however_many_hear(server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 20 == dry_run.EXAMPLES
    monkeypatch.setattr(dry_run, "EXAMPLES", 1)
    async with server.socket("ada"), server.socket("bob"), server.socket():
        told = (await api.post("/broadcasts?dry_run=true", {"audience": EVERYONE, "target": "#a", "html": "x"})).json()
        assert (3, 2, 1) == (told["matched"], told["users"], len(told["examples"]))


async def test_of_a_batch_each_update_says_who_hears_it(server: Running, api: ApiClient) -> None:
    async def tried(*audiences: Any) -> Any:
        updates = [{"audience": audience, "target": "#a", "html": "x"} for audience in audiences]
        answer = await api.post("/broadcasts/batch?dry_run=true", {"updates": updates})
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def counts(told: Any) -> list[tuple[int, int]]:
        return [(update["matched"], update["users"]) for update in told["updates"]]

    async with server.socket("ada"), server.socket("bob"), server.socket():
        ada, bob = ({"kind": "users", "ids": [name]} for name in ("ada", "bob"))
        told = await tried(ada, bob, ada)
        assert ([(1, 1)] * 3, 2, 2, 3) == (counts(told), told["matched"], told["users"], told["bytes"])
        told = await tried(EVERYONE, ada)
        assert ([(3, 2), (1, 1)], 3, 2) == (counts(told), told["matched"], told["users"])
        near = [{"kind": "near", "latitude": 1, "longitude": number, "radius_km": 1} for number in range(40)]
        told = await tried(ada, *near)
        assert ([(1, 1), *[(0, 0)] * 40], None, None) == (counts(told), told["matched"], told["users"])
        assert ["ada"] == [one["user_id"] for one in told["examples"]]
        deep: Any = ada
        for _ in range(7):
            deep = {"kind": "any_of", "audiences": [deep]}
        told = await tried(deep, bob)
        assert ([(1, 1)] * 2, None) == (counts(told), told["matched"])


async def test_of_own_lines_it_shows_the_first(server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LINES_SHOWN", 1)
    async with server.socket("ada", name="<Ada>"), server.socket("bob"):
        told = (await api.post("/users/updates?dry_run=true", {"updates": None})).json()
        assert (2, 2) == (told["matched"], told["users"])
        assert ['<div class="user-update">&lt;Ada&gt; - online</div>'] == [update["html"] for update in told["updates"]]


async def test_a_room_message_is_shown_under_the_name_that_it_would_have(server: Running, api: ApiClient) -> None:
    room = (await api.post("/rooms", {})).json()["id"]
    await api.put("/users/bob", {"name": "Bob"})
    async with server.socket("ada", name="Ada"):
        for user_id, name in (("ada", "Ada"), ("bob", "Bob"), ("zoe", "zoe"), (None, "back office")):
            tried = await api.post(f"/rooms/{room}/messages?dry_run=true", {"message": "x", "user_id": user_id})
            assert f'<span class="user">{name}</span>' in tried.json()["updates"][0]["html"]
    assert 404 == (await api.get("/users/zoe")).status_code
