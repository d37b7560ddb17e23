"""API keys: scopes on every route, made and revoked, never more than their maker may."""

import re
from datetime import timedelta

import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.db.beside import all_stored
from api_tests.server import Running
from app.auth.scopes import ANY
from app.kernel.clock import utc_now
from app.main import ROUTES

SOME_UUID = "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"


def path_of(route: object) -> str:
    """The route's path with something in the place of each id."""
    return re.sub(r"{\w+:(\w+)}", lambda place: SOME_UUID if place[1] == "uuid" else "x", next(iter(route.paths)))


@on_one_server("route", ROUTES)
async def test_every_operation_wants_a_key_with_its_scope(api: ApiClient, route: object) -> None:
    """401 without a key or with a wrong one, 403 with a key of another scope; both name the scope."""
    method, path, scope = next(iter(route.http_methods)), path_of(route), route.opt["scope"]
    other = "announcements:read" if scope != "announcements:read" else "connections:read"
    weak = await api.key_with(other)
    too_weak = [(weak, 403)] if scope != ANY else []
    for key, status in [(None, 401), ("wrong", 401), *too_weak]:
        async with ApiClient(api.url, key) as client:
            answer = await client.call(method, path, {})
            assert status == answer.status_code
            assert "application/problem+json" == answer.headers["content-type"]
            assert scope == ANY or scope in answer.json()["detail"]
            assert (status == 401) == ("www-authenticate" in answer.headers)


async def test_a_key_opens_what_its_scopes_say(api: ApiClient) -> None:
    key = await api.key_with("announcements:*")
    async with ApiClient(api.url, key) as client:
        assert 200 == (await client.get("/announcements")).status_code
        assert 201 == (await client.post("/announcements", {"message": "x", "priority": "low"})).status_code
        assert 403 == (await client.get("/connections")).status_code


async def test_a_key_is_shown_once_and_its_secret_is_not_stored(server: Running, api: ApiClient) -> None:
    made = await api.post("/api-keys", {"name": "shop", "scopes": ["broadcasts:write"]})
    assert "no-store" == made.headers["cache-control"]
    text = made.json()["key"]
    listed = (await api.get("/api-keys")).json()["items"]
    assert [made.json()["id"]] == [item["id"] for item in listed]
    assert text not in str(listed)
    stored = all_stored(server.settings)
    secret = text.rpartition("_")[2]
    assert (True, False, False) == (text.split("_")[1] in stored, secret in stored, secret.encode().hex() in stored)


async def test_a_revoked_key_is_refused_at_once(api: ApiClient) -> None:
    made = (await api.post("/api-keys", {"name": "x", "scopes": ["announcements:read"]})).json()
    async with ApiClient(api.url, made["key"]) as client:
        assert 200 == (await client.get("/announcements")).status_code
        assert 204 == (await api.delete(f"/api-keys/{made['id']}")).status_code
        assert 401 == (await client.get("/announcements")).status_code
    assert 204 == (await api.delete(f"/api-keys/{made['id']}")).status_code
    assert (await api.get("/api-keys")).json()["items"][0]["revoked_at"]
    assert 404 == (await api.delete("/api-keys/nothing")).status_code


async def test_two_keys_of_one_tool_are_good_until_the_first_is_revoked(api: ApiClient) -> None:
    made = [(await api.post("/api-keys", {"name": "shop", "scopes": ["rooms:read"]})).json() for _ in range(2)]

    async def statuses() -> list[int]:
        return [(await api.get("/rooms", headers={"Authorization": f"Bearer {one['key']}"})).status_code for one in made]

    assert [200, 200] == await statuses()
    await api.delete(f"/api-keys/{made[0]['id']}")
    assert [401, 200] == await statuses()
    states = {item["id"]: item["revoked_at"] is None for item in (await api.get("/api-keys")).json()["items"]}
    assert {made[0]["id"]: False, made[1]["id"]: True} == states


async def test_a_key_ends_at_its_time(clock: Clock, api: ApiClient) -> None:
    soon = (utc_now() + timedelta(seconds=600)).isoformat()
    made = (await api.post("/api-keys", {"name": "x", "scopes": ["announcements:read"], "expires_at": soon})).json()
    async with ApiClient(api.url, made["key"]) as client:
        assert 200 == (await client.get("/announcements")).status_code
        clock.skip(600)
        assert 401 == (await client.get("/announcements")).status_code


async def test_a_key_cannot_give_what_it_has_not(api: ApiClient) -> None:
    key = await api.key_with("keys:admin")
    async with ApiClient(api.url, key) as client:
        answer = await client.post("/api-keys", {"name": "more", "scopes": ["admin"]})
    assert (403, True) == (answer.status_code, "admin" in answer.json()["detail"])


async def test_a_key_revokes_itself_and_none_that_may_do_more(api: ApiClient) -> None:
    stronger, weaker, key = [await api.key_with(*scopes) for scopes in (["admin"], ["keys:admin"], ["keys:admin", "rooms:read"])]
    async with ApiClient(api.url, key) as client:
        refused = await client.delete(f"/api-keys/{stronger.split('_')[1]}")
        assert (403, True) == (refused.status_code, "has not admin" in refused.json()["detail"])
        for one in (weaker, key):
            assert 204 == (await client.delete(f"/api-keys/{one.split('_')[1]}")).status_code
    async with ApiClient(api.url, stronger) as client:
        assert 200 == (await client.get("/rooms")).status_code


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x", "scopes": ["planets:read"]}, "/scopes"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "", "scopes": ["admin"]}, "/name"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2040-01-01T00:00:00"}, "/expires_at"),
    ],
)
async def test_a_wrong_key_request_is_refused(api: ApiClient, body: object, pointer: str) -> None:
    answer = await api.post("/api-keys", body)
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_a_key_that_ends_makes_no_key_that_outlives_it(server: Running, api: ApiClient) -> None:
    soon, later = (f"{utc_now() + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (1, 2))
    wanted = {"name": "maker", "scopes": ["keys:admin", "connections:read"], "expires_at": soon}
    maker = (await api.post("/api-keys", wanted)).json()["key"]
    async with ApiClient(server.url, maker) as limited:
        for ends in (None, later):
            refused = await limited.post("/api-keys", {"name": "x", "scopes": ["connections:read"], "expires_at": ends})
            assert (403, True) == (refused.status_code, "must not be later" in refused.json()["detail"])
        assert (
            201 == (await limited.post("/api-keys", {"name": "x", "scopes": ["connections:read"], "expires_at": soon})).status_code
        )


async def test_a_time_that_not_every_zone_has_is_refused(api: ApiClient) -> None:
    answer = await api.post("/api-keys", {"name": "x", "scopes": ["admin"], "expires_at": "9999-12-31T23:59:59-10:00"})
    assert (422, "/expires_at") == (answer.status_code, answer.json()["errors"][0]["pointer"])
