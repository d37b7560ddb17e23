"""The console under a hand: double clicks, what is pressed, what is marked."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, Route, expect

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running
from api_tests.waiting import MS
from app.features.console import live


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a moment."""
    monkeypatch.setattr(live, "EVERY_S", 100 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 50 * MS)


@pytest.fixture
async def rooms(server: Running, page: Page, api: ApiClient) -> AsyncIterator[Page]:
    """The list of rooms, live; it notes what it was told last."""
    await api.post("/rooms", {"id": "cellar"})
    await page.add_init_script(
        "document.addEventListener('wsx:beforeSwap', ({ detail }) => { document.body.dataset.told = detail.html; })"
    )
    await page.goto(f"{server.url}/console")
    await page.fill("[name=key]", ADMIN_KEY)
    await page.press("[name=key]", "Enter")
    await page.click("nav >> text=Rooms")
    await expect(page.locator("#connection")).to_have_text("live")
    await _is_told_of(page, "cellar")
    yield page
    await page.goto("about:blank")  # else it would complain that its server went away


async def _is_told_of_another(page: Page, api: ApiClient) -> None:
    await api.post("/rooms", {"id": "attic"})
    await _is_told_of(page, "attic")


async def _is_told_of(page: Page, room: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-told", re.compile(room))


async def test_a_click_that_has_begun_is_not_lost_to_an_update(rooms: Page, api: ApiClient):
    box = await rooms.locator("tbody a", has_text="cellar").bounding_box()
    await rooms.mouse.move(box["x"] + 5, box["y"] + 5)
    await rooms.mouse.down()
    await _is_told_of_another(rooms, api)
    await expect(rooms.locator("tbody")).not_to_contain_text("attic")
    await rooms.mouse.up()
    await expect(rooms.locator("h1")).to_have_text("Room cellar")


async def test_what_was_let_pass_under_a_pressed_button_is_shown_when_it_is_let_go(rooms: Page, api: ApiClient):
    await rooms.hover("tbody time >> nth=0")
    await rooms.mouse.down()
    await _is_told_of_another(rooms, api)
    await rooms.mouse.up()
    await expect(rooms.locator("tbody")).to_contain_text("attic")


async def test_marked_text_stays_marked_and_the_newest_is_shown_afterwards(rooms: Page, api: ApiClient):
    await rooms.evaluate(
        "getSelection().selectAllChildren([...document.querySelectorAll('tbody code')].find((one) => one.textContent === 'cellar'))"
    )
    await _is_told_of_another(rooms, api)
    await expect(rooms.locator("#connection")).to_have_text("waits while text is marked")
    assert "cellar" == await rooms.evaluate("getSelection().toString()")
    await rooms.evaluate("getSelection().removeAllRanges()")
    await expect(rooms.locator("tbody")).to_contain_text("attic")
    await expect(rooms.locator("#connection")).to_have_text("live")


async def test_text_that_is_marked_elsewhere_holds_up_nothing(rooms: Page, api: ApiClient):
    await rooms.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    await _is_told_of_another(rooms, api)
    await expect(rooms.locator("tbody")).to_contain_text("attic")


async def test_a_double_click_sends_a_form_once(rooms: Page, server: Running, api: ApiClient):
    sent = []

    async def pass_on(route: Route) -> None:
        sent.append(route.request.url)
        await route.continue_()

    await rooms.goto(f"{server.url}/console/keys")
    await rooms.click("text=Make a key")
    await rooms.fill("[name=name]", "till")
    await rooms.check("[value='rooms:read']")
    await rooms.route("**/keys/create", pass_on)
    await rooms.dblclick("text=Make it")
    await expect(rooms.locator("#key")).to_contain_text("wsx_")
    assert 1 == len(sent)
    assert ["till"] == [key["name"] for key in (await api.get("/api-keys")).json()["items"]]


async def test_a_page_that_is_one_too_many_says_so_and_is_live_when_there_is_room(rooms: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "MAX_VIEWS", 0)
    await rooms.clock.install()
    await rooms.reload()
    await expect(rooms.locator("#connection")).to_have_text("not live: 0 other pages of this key are kept up to date already")
    monkeypatch.setattr(live, "MAX_VIEWS", 1)
    await rooms.clock.fast_forward(5_000)
    await expect(rooms.locator("#connection")).to_have_text("live")
