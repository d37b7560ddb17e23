"""Announcements over REST: listed by page, priority and state; and what is refused."""

from api_tests.client import ApiClient
from api_tests.features.announcing import LATER_S, NEW, announce, later
from api_tests.server import run_server

MISSING = "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"


async def listed(api, query=""):
    return [item["message"] for item in (await api.get(f"/announcements{query}")).json()["items"]]


async def test_an_announcement_outlives_the_server(settings):
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api:
        made = await api.post("/announcements", NEW)
        assert f"/api/v1/announcements/{made.json()['id']}" == made.headers["location"]
    stored = {name: value for name, value in made.json().items() if name not in {"matched", "queued", "users"}}
    async with run_server(settings) as again, ApiClient(again.url, settings.admin_key) as api:
        assert stored == (await api.get(f"/announcements/{stored['id']}")).json()


async def test_a_list_is_paged_newest_first_and_names_the_next_page(api):
    for number in range(5):
        await announce(api, message=str(number), priority="low" if number % 2 else "high")
    first = await api.get("/announcements?limit=2")
    assert ["4", "3"] == [item["message"] for item in first.json()["items"]]
    cursor = first.json()["next_cursor"]
    assert f'<?limit=2&cursor={cursor}>; rel="next"' == first.headers["link"]
    second = (await api.get(f"/announcements?limit=2&cursor={cursor}")).json()
    third = (await api.get(f"/announcements?limit=2&cursor={second['next_cursor']}")).json()
    assert ["2", "1", "0"] == [item["message"] for item in second["items"] + third["items"]]
    assert third["next_cursor"] is None
    assert ["3", "1"] == await listed(api, "?priority=low")


async def test_a_list_may_show_only_those_in_one_state(clock, api):
    await announce(api, message="in force")
    await announce(api, message="scheduled", publish_at=later(2 * LATER_S))
    await announce(api, message="expired", expires_at=later())
    assert ["expired", "in force"] == await listed(api, "?state=in_force")
    clock.skip(LATER_S)
    states = {state: await listed(api, f"?state={state}") for state in ("in_force", "scheduled", "expired")}
    assert {state: [state.replace("_", " ")] for state in states} == states
    assert "state=expired" not in (await api.get("/announcements?state=expired")).headers.get("link", "")
    first = await api.get("/announcements?state=in_force&priority=high&limit=1")
    assert "link" not in first.headers
    assert [one["state"] for one in (await api.get("/announcements")).json()["items"]] == ["expired", "scheduled", "in_force"]


async def test_a_wrong_query_is_named(api):
    for query, (pointer, detail) in {
        "limit=0": ("?limit", "a whole number of at least 1 is wanted"),
        "limit=201": ("?limit", "a whole number of at most 200 is wanted"),
        "limit=x": ("?limit", "a whole number is wanted"),
        "priority=huge": ("?priority", "one of high, low, medium is wanted"),
        "state=soon": ("?state", "one of expired, in_force, scheduled is wanted"),
        "cursor=~": ("?cursor", ""),
    }.items():
        answer = await api.get(f"/announcements?{query}")
        assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
        assert detail in answer.json()["errors"][0]["detail"]


WRONG = [
    ({"priority": "huge"}, "/priority"),
    ({"priority": None}, "/priority"),
    ({"message": ""}, "/message"),
    ({"message": 5}, "/message"),
    ({"message": "a\0b"}, "/message"),
    ({"message": "x" * 10_001}, "/message"),
    ({"title": ""}, "/title"),
    ({"title": "x" * 201}, "/title"),
    ({"audience": "everyone"}, "/audience"),
    ({"audience": {"kind": "all"}}, "/audience/kind"),
    ({"publish": 1}, "/publish"),
    ({"publish_at": "tomorrow"}, "/publish_at"),
    ({"publish_at": "2030-01-01T00:00:00"}, "/publish_at"),
    ({"publish_at": "0001-01-01T00:00:00+14:00"}, "/publish_at"),
    ({"publish_at": "9999-12-31T23:59:59-01:00"}, "/publish_at"),
    ({"expires_at": "9999-12-31T23:59:59-01:00"}, "/expires_at"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+01:00"}, "/expires_at"),
    ({"publish_at": "2031-01-01T00:00:00Z", "expires_at": "2031-01-01T00:00:00Z"}, "/expires_at"),
]


async def test_a_wrong_announcement_is_refused_by_name_and_not_stored_and_so_is_a_wrong_change(api):
    made = await announce(api, publish_at="2030-01-01T00:00:00Z")
    for changes, pointer in WRONG:
        posted = await api.post("/announcements", {**NEW, **changes})
        patched = await api.call("PATCH", f"/announcements/{made['id']}", changes)
        assert {(422, pointer)} == {(one.status_code, one.json()["errors"][0]["pointer"]) for one in (posted, patched)}, changes
    incomplete = await api.post("/announcements", {"message": "x"})
    assert (422, "/priority") == (incomplete.status_code, incomplete.json()["errors"][0]["pointer"])
    (stored,) = (await api.get("/announcements")).json()["items"]
    assert stored.items() <= made.items()


async def test_the_priorities_are_named_when_one_is_wrong(api):
    answer = await api.post("/announcements", {**NEW, "priority": "urgent"})
    assert "there are high, low, medium" in answer.json()["errors"][0]["detail"]


async def test_what_does_not_exist_is_not_found(api):
    for announcement_id in (MISSING, "nothing"):
        path = f"/announcements/{announcement_id}"
        answers = [await api.get(path), await api.call("PATCH", path, {"message": "x"}), await api.delete(path)]
        assert [404] * 3 == [answer.status_code for answer in answers]


async def test_each_call_needs_its_scope(server, api):
    path = f"/announcements/{(await announce(api))['id']}"
    reads = [("GET", "/announcements", None), ("GET", path, None)]
    writes = [("POST", "/announcements", NEW), ("PATCH", path, {}), ("DELETE", path, None)]
    reader, writer = await api.key_with("announcements:read"), await api.key_with("announcements:write")
    for key, may, may_not in ((reader, reads, writes), (writer, writes, reads), (None, [], reads + writes)):
        async with ApiClient(server.url, key) as client:
            refused = [(await client.call(*call)).status_code for call in may_not]
            assert [401 if key is None else 403] * len(may_not) == refused
            assert all([(await client.call(*call)).is_success for call in may])


async def test_a_time_long_ago_is_now(api):
    for publish_at in ("0002-01-01T00:00:00+00:00", "1970-01-01T00:00:00-12:00"):
        assert "in_force" == (await announce(api, publish_at=publish_at))["state"]
