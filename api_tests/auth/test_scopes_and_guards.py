"""Scopes: what covers what; and the guard that asks for them."""

import json
from http import HTTPStatus

import pytest

from api_tests.server import ADMIN_KEY
from app.auth.keys import make_key
from app.auth.scopes import ANY, SCOPES, allows, unknown_scopes
from app.main import ROUTES


@pytest.mark.parametrize(
    ("granted", "wanted", "covered"),
    [
        ({"announcements:read"}, "announcements:read", True),
        ({"announcements:read"}, "announcements:write", False),
        ({"announcements:*"}, "announcements:write", True),
        ({"announcements:*"}, "announcements:*", True),
        ({"announcements:read", "announcements:write"}, "announcements:*", False),
        ({"announcements:*"}, "notifications:read", False),
        ({"admin"}, "announcements:*", True),
        ({"admin"}, "html:raw", True),
        ({"admin"}, "keys:admin", True),
        ({"keys:admin"}, "admin", False),
        ({"html:raw"}, "html:raw", True),
        ({"broadcasts:write"}, "html:raw", False),
        (set(), "broadcasts:write", False),
        ({""}, "broadcasts:write", False),
        ({"*"}, "broadcasts:write", False),
        ({"broadcasts"}, "broadcasts:write", False),
    ],
)
def test_a_scope_covers_just_what_it_says(granted, wanted, covered):
    assert covered is allows(frozenset(granted), wanted)


def test_unknown_scopes_are_named_in_order():
    assert [] == unknown_scopes(SCOPES)
    assert ["", "admin:*", "planets:read"] == unknown_scopes(["planets:read", "admin", "admin:*", "planets:read", ""])


def test_every_route_asks_for_a_scope_that_a_key_can_be_given():
    wanted = {route.opt["scope"] for route in ROUTES}
    assert [] == unknown_scopes(wanted - {ANY})
    assert {"broadcasts:write", "announcements:read", "keys:admin"} < wanted


async def test_what_is_no_bearer_key_is_told_how_to_send_one(api):
    for header in ("", "Bearer", "Basic YTpi", ADMIN_KEY, f"Token {ADMIN_KEY}", f"Bearer{ADMIN_KEY}"):
        answer = await api.get("/connections", headers={"Authorization": header})
        assert (HTTPStatus.UNAUTHORIZED, 'Bearer realm="wsx"') == (answer.status_code, answer.headers["www-authenticate"])
        assert "send the header `Authorization: Bearer <key>`" in answer.json()["detail"]
        assert "connections:read" in answer.json()["detail"]


async def test_where_any_key_will_do_no_scope_is_asked_for(api):
    for header, said in (("", "an API key is needed: send"), ("Bearer x", "mistyped, expired or revoked")):
        answer = await api.get("/cursor", headers={"Authorization": header})
        assert (HTTPStatus.UNAUTHORIZED, True) == (answer.status_code, said in answer.json()["detail"])


async def test_the_scheme_may_be_written_as_one_likes(api):
    for header in (f"bearer {ADMIN_KEY}", f"BEARER  {ADMIN_KEY}"):
        assert HTTPStatus.OK == (await api.get("/connections", headers={"Authorization": header})).status_code


async def test_a_key_that_is_none_of_ours_is_refused(api):
    for key in (b"x", b"wsx_Qm3zT81bKpXa_" + b"x" * 39, b"\xff\xfe", b"wsx_" + b"x" * 4000, make_key().text.encode()):
        answer = await api.get("/connections", headers={b"Authorization": b"Bearer " + key})
        assert HTTPStatus.UNAUTHORIZED == answer.status_code
        assert "mistyped, expired or revoked" in answer.json()["detail"]


async def test_a_refusal_names_the_scope_and_the_log_names_the_key_by_its_id(api, logged):
    key = await api.key_with("announcements:read")
    logged()
    headers = {"Authorization": f"Bearer {key}"}
    refused = await api.get("/connections", headers=headers)
    assert (HTTPStatus.FORBIDDEN, "this key has not the scope connections:read") == (refused.status_code, refused.json()["detail"])
    assert "www-authenticate" not in refused.headers
    assert HTTPStatus.OK == (await api.get("/announcements", headers=headers)).status_code
    seen = logged()
    assert [key.split("_")[1]] == [
        line["key"] for line in map(json.loads, seen.splitlines()) if line.get("status") == HTTPStatus.OK
    ]
    assert key not in seen
