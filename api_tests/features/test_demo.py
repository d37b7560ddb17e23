"""The demo page: what lives on it by itself, and what it shows when it is loaded."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from app.settings import Settings


@pytest.fixture
async def town(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(settings, demo=True) as running:
        yield running


async def test_the_demo_lists_users_once_however_many_tabs_they_have(town: Running) -> None:
    async with town.socket("ada", name="Ada"), town.socket("ada", name="Ada") as tab, town.socket():
        shown = await tab.next_of("#who")
        while "2 tabs" not in shown["html"] or "1 not signed in" not in shown["html"]:
            shown = await tab.next_of("#who")
    assert 1 == shown["html"].count("<b>Ada</b>")
    assert "3" == shown["oob"][0]["html"]
    assert '<option value="ada">Ada</option>' == shown["oob"][1]["html"]


async def test_the_demo_shows_fifty_users_and_counts_the_others(town: Running) -> None:
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(town.socket(f"user-{number}")) for number in range(52)]
        shown = await crowd[-1].next_of("#who")
        while "52" != shown["oob"][0]["html"]:
            shown = await crowd[-1].next_of("#who")
    assert 50 == shown["html"].count("data-user")
    assert "2 more" in shown["html"]


async def test_the_demo_starts_again_with_the_rooms_that_it_made(settings: Settings) -> None:
    for _ in range(2):
        async with run_server(settings, demo=True) as town, ApiClient(town.url, ADMIN_KEY) as api:
            assert ["kitchen", "lobby"] == [room["id"] for room in (await api.get("/rooms")).json()["items"]]


async def test_the_page_is_loaded_with_what_is_stored_for_its_user_and_nobody_elses(town: Running) -> None:
    async with ApiClient(town.url, ADMIN_KEY) as api, httpx.AsyncClient(base_url=town.url) as browser:
        await browser.post("/demo/sign-in", data={"name": "Ada"})
        read = (await api.post("/notifications", {"user_ids": ["ada"], "title": "Old <news>"})).json()["items"][0]["id"]
        await api.put(f"/notifications/{read}/read")
        await api.post("/notifications", {"user_ids": ["ada"], "title": "New"})
        await api.post("/notifications", {"user_ids": ["bob"], "title": "Not hers"})
        await api.post("/follows", {"follower_id": "ada", "followee_id": "bob"})
        shown = (await browser.get("/")).text
        assert shown.index("New") < shown.index("Old &lt;news&gt;")
        assert 1 == shown.count('wx-send="mark-notification-read"')
        assert '<span id="notification-count" class="badge">1</span>' in shown
        assert """data-followed='["bob"]'""" in shown
        assert "Not hers" not in shown
        browser.cookies.clear()
        assert "Old" not in (await browser.get("/")).text


@pytest.mark.parametrize(("name", "user_id"), [("Ada L.", "ada-l"), ("Мария", "мария"), ("!?", "somebody"), ("'; call", "call")])
async def test_people_are_known_by_what_their_name_says(town: Running, name: str, user_id: str) -> None:
    async with httpx.AsyncClient(base_url=town.url, follow_redirects=True) as browser:
        assert f'data-me="{user_id}"' in (await browser.post("/demo/sign-in", data={"name": name})).text


async def test_only_admins_are_shown_what_is_for_admins(town: Running) -> None:
    async with httpx.AsyncClient(base_url=town.url, follow_redirects=True) as browser:
        for role, is_shown in (("", False), ("premium", False), ("root", False), ("admin", True)):
            page = (await browser.post("/demo/sign-in", data={"name": "Ada", "role": role})).text
            assert [is_shown, is_shown] == ['id="dashboard-stats"' in page, 'wx-send="admin-announcement"' in page]


async def test_one_click_is_a_sign_in_that_begins_somewhere(town: Running) -> None:
    async with httpx.AsyncClient(base_url=town.url) as browser:
        answer = await browser.post("/demo/come-in", data={"who": "Ada"})
        assert (303, "/?room=lobby&at=Market") == (answer.status_code, answer.headers["location"])
        page = (await browser.get("/")).text
        assert 'data-me="ada"' in page
        assert 'id="dashboard-stats"' in page
        assert 422 == (await browser.post("/demo/come-in", data={"who": "Eve"})).status_code


async def test_the_second_window_is_offered_under_the_other_name_of_this_machine(town: Running) -> None:
    async with httpx.AsyncClient(base_url=town.url) as browser:
        await browser.post("/demo/come-in", data={"who": "Bob"})
        for host, offered in ((f"127.0.0.1:{town.port}", f"http://localhost:{town.port}/"), ("localhost", "http://127.0.0.1/")):
            assert f'href="{offered}"' in (await browser.get("/", headers={"host": host})).text
        page = (await browser.get("/", headers={"host": "town.example"})).text
        assert "second-window" not in page
        assert "private window" in page


async def test_who_walks_is_seen_on_everybodys_map_and_who_is_elsewhere_is_not(town: Running) -> None:
    market = {"name": "Market", "latitude": 49.99859, "longitude": -20.02076}
    async with (
        town.socket("ada", name="Ada") as ada,
        town.socket("bob", name="Bob") as bob,
        town.socket("cleo") as cleo,
    ):
        for page in (ada, bob):
            await page.ask("set-location", market)
        await cleo.ask("set-location", {"latitude": 52.52, "longitude": 13.405})
        async with town.socket("ada", name="Ada") as tab:  # of which nobody knows where it is
            people, spots = "", []
            while "ada, Market, 2 tabs" not in people or len(spots) != 2:
                shown = await tab.next_of("#who")
                people, island = shown["html"], next(one["html"] for one in shown["oob"] if one["target"] == "#map-people")
                spots = re.findall(r"translate\((\S+) (\S+)\)", island)
    assert [24.0, 0.0] == [float(bob) - float(ada) for ada, bob in zip(*spots, strict=True)]  # beside each other
    assert "cleo" not in island
