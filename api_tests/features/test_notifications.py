"""Notifications: stored, on all tabs of their users, with counts that are always right."""

import pytest
from sqlalchemy import text

from api_tests.client import ApiClient
from api_tests.server import Running
from app.db.session import Database

XSS = "<img src=x onerror=alert(1)>"
NEW = {"user_ids": ["ada"], "title": "New order", "message": "Order 1042 was paid"}


async def test_all_tabs_of_the_user_are_told_and_nobody_elses(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as tab, server.socket("ada") as other_tab, server.socket("bob") as bob:
        sent = await api.post("/notifications", NEW)
        await api.broadcast("marker")
        assert (201, 2) == (sent.status_code, sent.json()["queued"])
        for page in (tab, other_tab):
            told = await page.next()
            assert ("#notifications", "afterbegin") == (told["target"], told["swap"])
            assert 'class="notification info"' in told["html"]
            assert [{"target": "#notification-count", "html": "1", "swap": "textContent"}] == told["oob"]
        await bob.hears_nothing_but("marker")


async def test_many_users_get_one_each_with_their_own_count(server: Running, api: ApiClient) -> None:
    await api.post("/notifications", {**NEW, "user_ids": ["bob"]})
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        sent = (await api.post("/notifications", {**NEW, "user_ids": ["ada", "bob", "zoe"]})).json()
        assert ["ada", "bob", "zoe"] == [item["user_id"] for item in sent["items"]]
        assert "1" == (await ada.next())["oob"][0]["html"]
        assert "2" == (await bob.next())["oob"][0]["html"]
    assert 1 == (await api.get("/users/zoe/notifications")).json()["unread_count"]


async def test_a_thousand_users_are_notified_at_once_and_more_are_refused(api: ApiClient) -> None:
    ids = [f"user-{number}" for number in range(1_001)]
    assert 1_000 == len((await api.post("/notifications", {**NEW, "user_ids": ids[:1_000]})).json()["items"])
    refused = await api.post("/notifications", {**NEW, "user_ids": ids})
    assert (422, "/user_ids") == (refused.status_code, refused.json()["errors"][0]["pointer"])


async def test_the_text_is_escaped(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as page:
        await api.post("/notifications", {"user_ids": ["ada"], "title": XSS, "message": XSS})
        html = (await page.next())["html"]
    assert XSS not in html
    assert 2 == html.count("&lt;img src=x onerror=alert(1)&gt;")


async def test_reading_and_unreading_changes_the_item_and_the_badge_on_every_tab(server: Running, api: ApiClient) -> None:
    one = (await api.post("/notifications", NEW)).json()["items"][0]["id"]
    await api.post("/notifications", NEW)
    async with server.socket("ada") as page:
        read = await api.put(f"/notifications/{one}/read")
        assert (200, True, True) == (read.status_code, bool(read.json()["read_at"]), bool(read.json()["seen_at"]))
        told = await page.next()
        assert (f"#notification-{one}", "outerHTML", "1") == (told["target"], told["swap"], told["oob"][0]["html"])
        assert 'class="notification info read"' in told["html"]
        again = await api.put(f"/notifications/{one}/read")
        assert read.json() == again.json()
        unread = await api.delete(f"/notifications/{one}/read")
        assert unread.json()["read_at"] is None
        assert ["1", "2"] == [(await page.next())["oob"][0]["html"] for _ in range(2)]


async def test_an_inbox_tells_what_is_unread_and_unseen(api: ApiClient) -> None:
    ids = [(await api.post("/notifications", NEW)).json()["items"][0]["id"] for _ in range(3)]
    await api.put(f"/notifications/{ids[0]}/read")
    await api.put(f"/notifications/{ids[1]}/seen")
    inbox = (await api.get("/users/ada/notifications")).json()
    assert (2, 1) == (inbox["unread_count"], inbox["unseen_count"])
    assert ids[::-1] == [item["id"] for item in inbox["items"]]
    unread = await api.get("/users/ada/notifications?state=unread&limit=1")
    assert [ids[2]] == [item["id"] for item in unread.json()["items"]]
    assert "state=unread" in unread.headers["link"]
    rest = (await api.get(f"/users/ada/notifications?state=unread&cursor={unread.json()['next_cursor']}")).json()
    assert [ids[1]] == [item["id"] for item in rest["items"]]


async def test_an_unknown_user_has_an_empty_inbox(api: ApiClient) -> None:
    assert {"items": [], "next_cursor": None, "unread_count": 0, "unseen_count": 0} == (
        await api.get("/users/nobody/notifications")
    ).json()


async def test_a_user_who_connects_is_written_down_with_name_and_roles(server: Running, api: ApiClient) -> None:
    await api.post("/notifications", NEW)
    database = Database(server.settings.database_url)

    async def rows() -> list[tuple[str, str]]:
        async with database.reading() as session:
            return [tuple(row) for row in await session.execute(text("SELECT name, roles FROM users"))]

    assert [("ada", "[]")] == await rows()
    async with server.socket("ada", name="Ada L.", roles=("premium",)):
        found: list[tuple[str, str]] = []
        while found != [("Ada L.", '["premium"]')]:
            found = await rows()
    await database.close()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**NEW, "user_ids": []}, "/user_ids"),
        ({**NEW, "user_ids": [""]}, "/user_ids/0"),
        ({**NEW, "title": ""}, "/title"),
        ({**NEW, "type": "x y"}, "/type"),
        ({**NEW, "kind": "x"}, "/kind"),
    ],
)
async def test_a_wrong_notification_is_refused(api: ApiClient, body: object, pointer: str) -> None:
    answer = await api.post("/notifications", body)
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_what_does_not_exist_cannot_be_read(api: ApiClient) -> None:
    missing = "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"
    assert 404 == (await api.put(f"/notifications/{missing}/read")).status_code
    assert 404 == (await api.delete(f"/notifications/{missing}/read")).status_code
    assert 404 == (await api.put("/notifications/x/read")).status_code


async def test_seen_can_be_taken_back(api: ApiClient) -> None:
    made = (await api.post("/notifications", NEW)).json()["items"][0]["id"]
    assert (await api.put(f"/notifications/{made}/seen")).json()["seen_at"] is not None
    assert (await api.delete(f"/notifications/{made}/seen")).json()["seen_at"] is None


async def test_parameters_are_named_as_they_are_asked_for(api: ApiClient) -> None:
    wrong = await api.get("/users/ada/notifications?state=foo")
    long = await api.get(f"/users/{'x' * 129}/notifications")
    assert ["?state", "{user_id}"] == [answer.json()["errors"][0]["pointer"] for answer in (wrong, long)]
