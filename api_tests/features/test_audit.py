"""The audit log: who did what and who was refused, at a bounded size, with no secret and no body in it."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually_told
from app.features.audit import recorder
from app.kernel.clock import utc_now
from app.main import ROUTES
from app.settings import Settings
from app.web.deeds import Actor, Deed

BROADCAST = {"audience": {"kind": "everyone"}, "target": "#a", "html": "<p>a sentence that is nobody else's</p>"}
COUNTED = "SELECT count(*), sum(times) FROM audit_events"
DEED = Deed(Actor("key", "k", "shop"), "do", {}, None, {}, 200, "", "req", "192.0.2.1")

pytestmark = pytest.mark.usefixtures("hasty")

Reader = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
def events(api: ApiClient) -> Reader:
    """`await events(3, operation="create_room")`: just so many, as soon as they are there; oldest first."""

    async def read(count: int, **asked: str) -> list[Any]:
        found: list[Any] = []

        async def are_there() -> bool:
            found[:] = (await api.get("/audit-events", params=asked)).json()["items"][::-1]
            return len(found) >= count

        await eventually_told(are_there)
        assert count == len(found), found
        return found

    return read


async def test_a_call_is_there_with_who_what_whom_and_how_many(server: Running, api: ApiClient, events: Reader) -> None:
    made = (await api.post("/api-keys", {"name": "shop", "scopes": ["broadcasts:write"]})).json()
    async with ApiClient(server.url, made["key"]) as shop, server.socket("ada"):
        sent = await shop.post("/broadcasts", BROADCAST, headers={"X-Request-ID": "req-42"})
    (event,) = await events(1, operation="create_broadcast")
    assert utc_now() - timedelta(minutes=1) < msgspec.convert(event.pop("at"), type(utc_now())) <= utc_now()
    event.pop("id")
    assert {
        "actor": "key",
        "actor_id": made["id"],
        "actor_name": "shop",
        "operation": "create_broadcast",
        "targets": {"id": sent.json()["id"]},
        "audience": {"kind": "everyone"},
        "counts": {"matched": 1, "queued": 1},
        "status": HTTPStatus.ACCEPTED,
        "code": "",
        "times": 1,
        "request_id": "req-42",
        "address": "127.0.0.1",
    } == event
    (making,) = await events(1, operation="create_api_key")
    assert ("WSX_ADMIN_KEY", "back office") == (making["actor_id"], making["actor_name"])
    assert {"id": made["id"], "name": "shop", "scopes": "broadcasts:write"} == making["targets"]


async def test_ids_of_path_and_body_are_its_targets(api: ApiClient, events: Reader) -> None:
    await api.post("/rooms", {"id": "lobby"})
    await api.put("/rooms/lobby/members/ada")
    await api.post("/follows", {"follower_id": "ada", "followee_id": "bob"})
    await api.post("/notifications", {"user_ids": ["ada", "bob"], "title": "x"})
    await api.delete("/rooms/lobby")
    found = [(event["operation"], event["targets"], event["audience"], event["status"]) for event in await events(5)]
    assert ("create_room", "lobby") == (found[0][0], found[0][1]["id"])
    assert ("add_room_member", {"room_id": "lobby", "user_id": "ada"}) == (found[1][0], found[1][1])
    assert {"follower_id": "ada", "followee_id": "bob"}.items() <= found[2][1].items()
    assert ("create_notifications", {"kind": "users", "ids": ["ada", "bob"]}) == (found[3][0], found[3][2])
    assert ("delete_room", {"room_id": "lobby"}, None, 204) == found[4]


async def test_what_is_given_to_whom_is_in_it(api: ApiClient, events: Reader) -> None:
    await api.post("/connection-tokens", {"user_id": "ada", "roles": ["premium", "admin"]})
    many = [f"a{number:0127}" for number in range(49)]
    await api.put("/users/ada", {"name": "Ada", "roles": [*many, "admin"]})
    await api.post("/users/ada/disconnect", {"revoke_tokens": True})
    await api.post("/users/updates", {"updates": [{"user_id": f"{n:02}", "target": "#a", "html": "x"} for n in range(30)]})
    minted, put, disconnected, updated = await events(4)
    assert {"user_id": "ada", "roles": "admin premium"} == minted["targets"]
    assert {*many, "admin"} == set(put["targets"]["roles"].split())
    assert {"user_id": "ada", "revoke_tokens": "true"} == disconnected["targets"]
    assert {"kind": "users", "ids": [f"{n:02}" for n in range(20)], "count": 30} == updated["audience"]


async def test_what_nobody_did_can_be_left_out_or_shown_alone(server: Running, api: ApiClient, events: Reader) -> None:
    await api.post("/rooms", {"id": "a"})
    await api.post("/rooms", {"id": "b"})
    async with ApiClient(server.url, "none of ours") as nobody:
        await nobody.post("/rooms", {"id": "c"})
    assert ["create_room"] * 3 == [event["operation"] for event in await events(3)]
    assert ["a", "b"] == [event["targets"]["id"] for event in await events(2, known="true")]
    assert ["nobody"] == [event["actor"] for event in await events(1, known="false")]
    first = await api.get("/audit-events", params={"limit": "1", "known": "true"})
    second = await api.http.get(f"/api/v1/audit-events{first.links['next']['url']}")
    assert (["a"], None) == ([one["targets"]["id"] for one in second.json()["items"]], second.json()["next_cursor"])


async def test_what_changes_nothing_is_not_in_it(api: ApiClient, events: Reader) -> None:
    await api.get("/rooms")
    await api.get("/rooms/nowhere")
    await api.post("/connections/search", {"audience": {"kind": "everyone"}})
    await api.put("/users/ada", {"name": "Ada"})
    assert ["put_user"] == [event["operation"] for event in await events(1)]


async def test_a_dry_run_is_in_it_as_one_and_uses_no_key_up(api: ApiClient, events: Reader) -> None:
    once = {"Idempotency-Key": "a"}
    assert HTTPStatus.OK == (await api.post("/broadcasts?dry_run=true", BROADCAST, headers=once)).status_code
    assert HTTPStatus.ACCEPTED == (await api.post("/broadcasts", BROADCAST, headers=once)).status_code
    told = [
        (event["code"], event["status"], event["counts"], event["audience"])
        for event in await events(2, operation="create_broadcast")
    ]
    everyone = {"kind": "everyone"}
    assert [("dry_run", 200, {"matched": 0, "users": 0}, everyone), ("", 202, {"matched": 0, "queued": 0}, everyone)] == told


async def test_a_dry_run_that_is_refused_is_in_it_too(api: ApiClient, events: Reader) -> None:
    await api.post("/connections/none/updates?dry_run=true", {"target": "#a", "html": "x"})
    assert [("send_update", 404, "not_found")] == [
        (event["operation"], event["status"], event["code"]) for event in await events(1)
    ]


async def test_refusals_and_failures_are_in_it_with_their_reason(
    server: Running, api: ApiClient, events: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak_key = await api.key_with("rooms:read")
    for key, method, path in ((None, "GET", "/rooms"), (weak_key, "POST", "/rooms")):
        async with ApiClient(server.url, key) as refused:
            await refused.call(method, path, {})
    await api.post("/broadcasts", {"target": "#a"})
    await api.http.post("/api/v1/broadcasts", content=b"x" * (server.settings.max_body_bytes + 1))
    await api.delete("/rooms/nowhere")

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(server.hub, "publish", broken)
    await api.post("/broadcasts", BROADCAST)
    found = {(event["actor"], event["operation"], event["status"], event["code"]) for event in await events(7)}
    assert {
        ("key", "create_api_key", 201, ""),
        ("nobody", "list_rooms", 401, "unauthenticated"),
        ("key", "create_room", 403, "forbidden"),
        ("key", "create_broadcast", 422, "invalid_fields"),
        ("key", "create_broadcast", 413, ""),
        ("key", "delete_room", 404, "not_found"),
        ("key", "create_broadcast", 500, "internal_error"),
    } == found


async def test_who_asks_too_often_is_in_it_once_with_how_often(settings: Settings) -> None:
    slow = msgspec.structs.replace(settings, api_rate_per_min=1)
    async with run_server(slow) as server, ApiClient(server.url, ADMIN_KEY) as api:
        for _ in range(6):
            await api.get("/rooms")
    assert 5 == sum(times for (times,) in rows(settings, "SELECT times FROM audit_events WHERE status = 429"))


async def test_an_answer_that_was_given_again_says_so(api: ApiClient, events: Reader) -> None:
    for _ in range(2):
        await api.post("/rooms", {"id": "lobby"}, headers={"Idempotency-Key": "a"})
    assert [(201, ""), (201, "replayed")] == [(event["status"], event["code"]) for event in await events(2)]


async def test_what_admins_do_over_the_socket_is_in_it_and_who_was_refused(server: Running, events: Reader) -> None:
    announcement = {"message": "a sentence that is nobody else's", "priority": "low"}
    async with server.socket("ada", name="Ada", roles=("admin",)) as ada, server.socket("bob") as bob, server.socket() as nobody:
        await ada.ask("admin-announcement", announcement)
        await ada.ask("mass-update")
        await ada.ask("broadcast-user-updates")
        for page in (bob, nobody):
            await page.ask("mass-update")
        ids = [ada.id, bob.id, nobody.id]
    found = {(event["actor"], event["actor_id"], event["operation"], event["status"], event["code"]) for event in await events(5)}
    assert {
        ("user", "ada", "admin-announcement", 200, ""),
        ("user", "ada", "mass-update", 200, ""),
        ("user", "ada", "broadcast-user-updates", 200, ""),
        ("user", "bob", "mass-update", 403, "not_admin"),
        ("nobody", "", "mass-update", 403, "not_admin"),
    } == found
    assert [{"users": 1}, {"matched": 3, "queued": 3}, {"users": 2}] == [
        event["counts"] for event in await events(3, user_id="ada")
    ]
    assert {("ada", "Ada", "req_1", ids[0], "127.0.0.1")} == {
        (event["actor_id"], event["actor_name"], event["request_id"], event["targets"]["connection_id"], event["address"])
        for event in await events(3, user_id="ada")
    }


async def test_no_secret_and_no_words_of_anybody_are_in_it(server: Running, api: ApiClient, events: Reader) -> None:
    made = (await api.post("/api-keys", {"name": "shop", "scopes": ["admin"]})).json()["key"]
    async with ApiClient(server.url, made) as shop:
        await shop.post("/broadcasts", BROADCAST)
        await shop.post("/announcements", {"message": "a sentence that is nobody else's", "title": "so is this", "priority": "low"})
        await shop.post("/broadcasts", {**BROADCAST, "swap": "a sentence that is nobody else's"})
        place = {"latitude": 51.1234, "longitude": 7.4321}
        event = {"title": "so is this", "description": "a sentence that is nobody else's"}
        await shop.post("/local-events", {"event": event, "location": {"name": "here", **place}, "radius_km": 5})
        await shop.post("/broadcasts", {**BROADCAST, "audience": {"kind": "near", "radius_km": 5, **place}})
    seen = json.dumps([event | {"at": ""} for event in await events(6)])  # a time may look like a place
    assert not [word for word in ("nobody else", "so is this", made.rpartition("_")[2], ADMIN_KEY, "51.12", "7.43") if word in seen]


async def test_it_is_listed_in_pages_and_by_key_operation_and_time(server: Running, api: ApiClient, events: Reader) -> None:
    key = await api.key_with("rooms:write")
    async with ApiClient(server.url, key) as other:
        for name in "abc":
            await other.post("/rooms", {"id": name})
    await events(4)
    first = await api.get("/audit-events", params={"limit": "2", "key_id": key.split("_")[1]})
    second = await api.http.get(f"/api/v1/audit-events{first.links['next']['url']}")
    assert ["c", "b", "a"] == [one["targets"]["id"] for page in (first, second) for one in page.json()["items"]]
    assert second.json()["next_cursor"] is None
    assert ["create_api_key"] == [event["operation"] for event in await events(1, key_id="WSX_ADMIN_KEY")]
    assert 3 == len(await events(3, operation="create_room"))
    hour = timedelta(hours=1)
    before, after = (utc_now() - hour).isoformat(), (utc_now() + hour).isoformat()
    assert (4, 0) == (len(await events(4, since=before, until=after)), len(await events(0, since=after)))
    assert [] == await events(0, until=before)
    assert [] == await events(0, user_id="ada")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"key_id": "a", "user_id": "b"}, "?user_id"),
        ({"since": "2026-11-23T20:16:03"}, "?since"),
        ({"until": "yesterday"}, "?until"),
        ({"actor": "key"}, "?actor"),
        ({"known": "perhaps"}, "?known"),
    ],
)
async def test_a_wrong_filter_is_named(api: ApiClient, asked: dict[str, str], pointer: str) -> None:
    answer = await api.get("/audit-events", params=asked)
    assert (HTTPStatus.UNPROCESSABLE_ENTITY, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_only_its_own_scope_reads_it(server: Running, api: ApiClient) -> None:
    for scope, status in (("audit:read", HTTPStatus.OK), ("keys:admin", HTTPStatus.FORBIDDEN)):
        async with ApiClient(server.url, await api.key_with(scope)) as reader:
            assert status == (await reader.get("/audit-events")).status_code


async def test_what_was_done_last_is_written_down_at_the_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "PAUSE_S", 3600)
    monkeypatch.setattr(recorder, "REFUSALS_S", 3600)
    monkeypatch.setattr(recorder, "STRANGERS_S", 3600)
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        await api.post("/rooms", {"id": "lobby"})
        await api.delete("/rooms/nowhere")
        assert [(0, None)] == rows(settings, COUNTED)
    assert [("create_room",), ("delete_room",)] == rows(settings, "SELECT operation FROM audit_events ORDER BY operation")


def test_every_operation_that_changes_something_is_noted() -> None:
    for route in ROUTES:
        reads = "GET" in route.http_methods or route.opt["scope"].endswith(":read")
        assert reads is not route.opt["operation"].changes, route.operation_id


async def test_a_call_that_cannot_be_noted_is_answered_all_the_same(
    settings: Settings, api: ApiClient, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    monkeypatch.setattr("app.web.deeds.targets_of", None)
    assert HTTPStatus.CREATED == (await api.post("/rooms", {})).status_code
    assert "a call is missing in the audit log" in logged()


async def test_all_that_was_since_any_day_can_be_asked(api: ApiClient) -> None:
    await api.post("/rooms", {"id": "lobby"})
    for since in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"):

        async def noted(since: str = since) -> bool:
            found = (await api.get(f"/audit-events?since={since}&operation=create_room")).json()
            return 1 == len(found["items"])

        await eventually_told(noted)
