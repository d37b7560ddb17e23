"""Announcements: stored, shown by priority, listed, recalled."""

import pytest

from api_tests.client import ApiClient
from api_tests.server import Running, run_server
from app.settings import Settings

XSS = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("priority", "hears"), [("high", {"user", "premium", "admin"}), ("medium", {"premium", "admin"}), ("low", {"admin"})]
)
async def test_a_priority_reaches_those_whom_it_concerns(server: Running, api: ApiClient, priority: str, hears: set[str]) -> None:
    async with (
        server.socket("user") as user,
        server.socket("premium", roles=("premium",)) as premium,
        server.socket("admin", roles=("admin",)) as admin,
        server.socket() as nobody,
    ):
        answer = await api.post("/announcements", {"message": "Free coffee", "priority": priority})
        await api.broadcast("marker")
        assert (201, len(hears)) == (answer.status_code, answer.json()["matched"])
        for name, page in {"user": user, "premium": premium, "admin": admin, "nobody": nobody}.items():
            message = await page.next()
            assert ("#announcements" if name in hears else "#status") == message["target"]
            if name in hears:
                assert "afterbegin" == message["swap"]
                assert f'class="announcement priority-{priority}"' in message["html"]


async def test_the_text_is_escaped_in_pages_and_as_it_was_in_rest(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as page:
        made = (await api.post("/announcements", {"message": XSS, "title": XSS, "priority": "high"})).json()
        html = (await page.next())["html"]
    assert XSS not in html
    assert 2 == html.count("&lt;img src=x onerror=alert(1)&gt;")
    assert (XSS, XSS) == (made["message"], made["title"])


async def test_an_audience_takes_the_place_of_the_prioritys(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        body = {"message": "Just you", "priority": "low", "audience": {"kind": "users", "ids": ["ada"]}}
        made = await api.post("/announcements", body)
        await api.broadcast("marker")
        assert "#announcements" == (await ada.next())["target"]
        await bob.hears_nothing_but("marker")
    assert body["audience"] == made.json()["audience"]


async def test_a_recalled_announcement_leaves_the_screens_of_those_who_saw_it(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket() as nobody:
        made = (await api.post("/announcements", {"message": "Oops", "priority": "high"})).json()
        shown = await ada.next()
        assert 204 == (await api.delete(f"/announcements/{made['id']}")).status_code
        recalled = await ada.next()
        assert "delete" == (await nobody.next())["swap"]  # everybody is told: it may have been somebody else when it was shown
    assert f'id="announcement-{made["id"]}"' in shown["html"]
    assert (f"#announcement-{made['id']}", "delete") == (recalled["target"], recalled["swap"])
    assert 404 == (await api.get(f"/announcements/{made['id']}")).status_code
    assert 404 == (await api.delete(f"/announcements/{made['id']}")).status_code


async def test_an_announcement_outlives_the_server(settings: Settings) -> None:
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api:
        made = await api.post("/announcements", {"message": "Stays", "priority": "low"})
        assert f"/api/v1/announcements/{made.json()['id']}" == made.headers["location"]
    stored = {name: value for name, value in made.json().items() if name not in {"matched", "queued", "users"}}
    async with run_server(settings) as again, ApiClient(again.url, settings.admin_key) as api:
        assert stored == (await api.get(f"/announcements/{stored['id']}")).json()


async def test_a_list_is_paged_newest_first_and_names_the_next_page(api: ApiClient) -> None:
    for number in range(5):
        await api.post("/announcements", {"message": str(number), "priority": "low" if number % 2 else "high"})
    first = await api.get("/announcements?limit=2")
    assert ["4", "3"] == [item["message"] for item in first.json()["items"]]
    cursor = first.json()["next_cursor"]
    assert f'<?limit=2&cursor={cursor}>; rel="next"' == first.headers["link"]
    second = (await api.get(f"/announcements?limit=2&cursor={cursor}")).json()
    third = (await api.get(f"/announcements?limit=2&cursor={second['next_cursor']}")).json()
    assert ["2", "1", "0"] == [item["message"] for item in second["items"] + third["items"]]
    assert third["next_cursor"] is None
    only_low = (await api.get("/announcements?priority=low")).json()
    assert ["3", "1"] == [item["message"] for item in only_low["items"]]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=x", "?limit"),
        ("priority=huge", "?priority"),
        ("cursor=~", "?cursor"),
    ],
)
async def test_a_wrong_query_is_named(api: ApiClient, query: str, pointer: str) -> None:
    answer = await api.get(f"/announcements?{query}")
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"message": "x"}, "/priority"),
        ({"message": "", "priority": "low"}, "/message"),
        ({"message": "x", "priority": "huge"}, "/priority"),
        ({"message": "x", "priority": "low", "publish": 1}, "/publish"),
        ({"message": "x" * 10_001, "priority": "low"}, "/message"),
    ],
)
async def test_a_wrong_announcement_is_refused_and_not_stored(api: ApiClient, body: object, pointer: str) -> None:
    answer = await api.post("/announcements", body)
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert [] == (await api.get("/announcements")).json()["items"]


async def test_an_id_that_is_none_is_not_found(api: ApiClient) -> None:
    assert 404 == (await api.get("/announcements/nothing")).status_code


async def test_the_priorities_are_named_when_one_is_wrong(api: ApiClient) -> None:
    answer = await api.post("/announcements", {"message": "x", "priority": "urgent"})
    assert "there are high, low, medium" in answer.json()["errors"][0]["detail"]
