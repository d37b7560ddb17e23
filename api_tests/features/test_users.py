"""Users are the site's: rows for the back office, presence, and hanging up."""

from datetime import datetime, timedelta

import msgspec
import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient
from api_tests.features.written import written_down
from api_tests.hub.recording import tab
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import MS, eventually
from app.kernel.clock import utc_now

ADA = {"name": "Ada", "roles": ["premium", "admin"], "status": "on the road"}


def since(text):
    return utc_now() - datetime.fromisoformat(text)


# -- rows --------------------------------------------------------------------------------------------------------------
async def test_a_user_is_made_and_replaced(api):
    made = await api.put("/users/ada", ADA)
    replaced = await api.put("/users/ada", {"name": "Ada L."})
    assert (201, 200) == (made.status_code, replaced.status_code)
    assert {"id": "ada", **ADA, "roles": ["admin", "premium"], "last_connected_at": None}.items() <= made.json().items()
    assert {**made.json(), "name": "Ada L.", "roles": [], "status": ""} == replaced.json()
    assert replaced.json() == (await api.get("/users/ada")).json()


async def test_what_a_change_does_not_name_stays(api):
    made = (await api.put("/users/ada", ADA)).json()
    for change in ({"status": ""}, {"name": "Ada L."}, {"roles": []}, {}):
        made |= change
        assert (200, made) == ((answer := await api.call("PATCH", "/users/ada", change)).status_code, answer.json())


async def test_users_are_listed_by_id_page_by_page(api):
    for user_id in ("zoe", "ada", "bob"):
        await api.put(f"/users/{user_id}", {"name": user_id.title()})
    first = await api.get("/users?limit=2")
    assert ["ada", "bob"] == [item["id"] for item in first.json()["items"]]
    cursor = first.json()["next_cursor"]
    assert f"cursor={cursor}" in first.headers["link"]
    rest = (await api.get(f"/users?limit=2&cursor={cursor}")).json()
    assert (["Zoe"], None) == ([item["name"] for item in rest["items"]], rest["next_cursor"])


async def test_name_and_roles_are_the_tokens_from_the_next_connect_on_and_the_status_is_kept(api, server, settings):
    await api.put("/users/ada", ADA)
    async with server.socket("ada", name="Ada of the token", roles=("editor",)):
        await written_down(settings, 1)
    shown = (await api.get("/users/ada")).json()
    assert ("Ada of the token", ["editor"], "on the road") == (shown["name"], shown["roles"], shown["status"])
    assert since(shown["last_connected_at"]) < timedelta(minutes=1)


@pytest.mark.parametrize("user_id", ["a b", "a%b", "ä😀", "a.b", "me@example.com", "a?b#c", "x" * 128])
async def test_an_id_may_be_any_text_that_stands_in_a_path(api, user_id):
    path = f"/users/{user_id.replace('%', '%25').replace('?', '%3F').replace('#', '%23')}"
    assert (201, user_id) == ((made := await api.put(path, ADA)).status_code, made.json()["id"])
    assert made.json() == (await api.get(path)).json()


async def test_an_id_with_a_slash_stands_in_no_path_and_is_found_in_the_list(api):
    assert 201 == (await api.post("/notifications", {"user_ids": ["a/b"], "title": "x"})).status_code
    assert 404 == (await api.get("/users/a%2Fb")).status_code
    assert ["a/b"] == [item["id"] for item in (await api.get("/users")).json()["items"]]


@on_one_server(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({**ADA, "name": ""}, "/name"),
        ({**ADA, "name": "x" * 201}, "/name"),
        ({**ADA, "name": "a\0b"}, "/name"),
        ({**ADA, "name": 5}, "/name"),
        ({**ADA, "status": "x" * 201}, "/status"),
        ({**ADA, "status": None}, "/status"),
        ({**ADA, "status": "\0"}, "/status"),
        ({**ADA, "roles": "admin"}, "/roles"),
        ({**ADA, "roles": [""]}, "/roles/0"),
        ({**ADA, "roles": ["x" * 129]}, "/roles/0"),
        ({**ADA, "roles": ["a\0"]}, "/roles/0"),
        ({**ADA, "roles": [f"role-{number}" for number in range(51)]}, "/roles"),
        ({**ADA, "id": "bob"}, "/id"),
    ],
)
async def test_a_wrong_user_is_refused(api, body, pointer):
    put, patch = await api.put("/users/ada", body), await api.call("PATCH", "/users/ada", body or {"name": None})
    assert [(422, pointer)] * 2 == [(answer.status_code, answer.json()["errors"][0]["pointer"]) for answer in (put, patch)]
    assert 404 == (await api.get("/users/ada")).status_code


async def test_fifty_roles_of_128_characters_fit(api):
    roles = sorted(f"{number:0128}" for number in range(50))
    assert roles == (await api.put("/users/ada", {"name": "x" * 200, "roles": roles, "status": "x" * 200})).json()["roles"]


@pytest.mark.parametrize("path", ["x" * 129, "a%00b"])
@pytest.mark.parametrize(("method", "rest", "body"), [("GET", "", None), ("PUT", "", ADA), ("GET", "/presence", None)])
async def test_what_can_be_no_id_is_refused(api, path, method, rest, body):
    answer = await api.call(method, f"/users/{path}{rest}", body)
    assert (422, "{user_id}") == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_a_user_nobody_heard_of_is_not_found(api):
    answers = [
        await api.get("/users/nobody"),
        await api.call("PATCH", "/users/nobody", {"status": "x"}),
        await api.get("/users/nobody/presence"),
        await api.post("/users/nobody/disconnect", {}),
    ]
    assert [404] * 4 == [answer.status_code for answer in answers]


async def test_each_call_needs_its_scope(api, server):
    calls = {
        "users:read": [("GET", "/users"), ("GET", "/users/ada"), ("GET", "/users/ada/presence")],
        "users:write": [
            ("PUT", "/users/ada"),
            ("PATCH", "/users/ada"),
            ("POST", "/users/ada/disconnect"),
            ("POST", "/users/updates"),
        ],
    }
    for scope, its in calls.items():
        (other,) = calls.keys() - {scope}
        async with (
            ApiClient(server.url, await api.key_with(scope)) as may,
            ApiClient(server.url, await api.key_with(other)) as not_it,
        ):
            for method, path in its:
                body = None if method == "GET" else ADA
                assert 403 == (refused := await not_it.call(method, path, body)).status_code
                assert scope in refused.json()["detail"]
                assert (await may.call(method, path, body)).status_code not in {401, 403}


# -- presence ----------------------------------------------------------------------------------------------------------
async def test_presence_counts_tabs_and_knows_when_the_last_one_ended(api, server, settings):
    await api.put("/users/ada", ADA)
    assert {"user_id": "ada", "online": False, "connections": 0, "last_seen_at": None} == (
        await api.get("/users/ada/presence")
    ).json()
    async with server.socket("ada"), server.socket("ada"):
        there = (await api.get("/users/ada/presence")).json()
        assert (True, 2) == (there["online"], there["connections"])
        assert since(there["last_seen_at"]) < timedelta(minutes=1)
        await written_down(settings, 1)
    await server.connected(0)
    within_the_grace = (await api.get("/users/ada/presence")).json()
    assert (True, 0) == (within_the_grace["online"], within_the_grace["connections"])
    assert server.hub.presence.absent_since("ada") == datetime.fromisoformat(within_the_grace["last_seen_at"])


async def test_after_the_grace_a_user_is_offline_and_was_seen_at_the_last_connect(settings):
    short = msgspec.structs.replace(settings, presence_grace_s=1 * MS)
    async with run_server(short) as server, ApiClient(server.url, ADMIN_KEY) as api:
        async with server.socket("ada"):
            await written_down(settings, 1)
        await eventually(lambda: not server.hub.presence.is_online("ada"))
        gone = (await api.get("/users/ada/presence")).json()
        assert (False, 0) == (gone["online"], gone["connections"])
        assert (await api.get("/users/ada")).json()["last_connected_at"] == gone["last_seen_at"]


async def test_who_is_connected_is_known_before_the_row_is_written(api, server):
    tab(server.hub, "ada")
    assert 1 == (await api.get("/users/ada/presence")).json()["connections"]


# -- disconnecting -----------------------------------------------------------------------------------------------------
async def test_all_tabs_of_a_user_are_closed_and_nobody_elses(api, server):
    async with server.socket("ada") as tab_1, server.socket("ada") as tab_2, server.socket("bob") as bob:
        assert {"closed": 2} == (await api.post("/users/ada/disconnect", {"reason": "signed out"})).json()
        assert [(4409, "signed out")] * 2 == [await tab_1.closed(), await tab_2.closed()]
        await api.broadcast("marker")
        await bob.hears_nothing_but("marker")
    await api.put("/users/zoe", ADA)
    assert {"closed": 0} == (await api.post("/users/zoe/disconnect", {})).json()


async def test_without_a_reason_the_page_is_told_that_it_was_the_back_office(api, server):
    async with server.socket("ada") as page:
        await api.post("/users/ada/disconnect", {})
        assert (4409, "closed by the back office") == await page.closed()


async def test_a_reason_must_fit_into_a_close_frame(api, server):
    async with server.socket("ada") as page:
        for reason in ("x" * 124, "ä" * 62, 5):
            refused = await api.post("/users/ada/disconnect", {"reason": reason})
            assert (422, "/reason") == (refused.status_code, refused.json()["errors"][0]["pointer"])
        assert 200 == (await api.post("/users/ada/disconnect", {"reason": "ä" * 61})).status_code
        assert (4409, "ä" * 61) == await page.closed()
