"""The console in Chromium: on a desk and a phone, in light and dark, with a keyboard alone; axe finds nothing."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from api_tests.browser.axe import violations
from api_tests.browser.conftest import Console
from api_tests.browser.town import PATIENCE_MS, WATCH
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running
from api_tests.waiting import MS
from app.features.console import live

XSS = "<img src=x onerror=document.title='hacked'>"
PAGES = ("", "/connections", "/rooms", "/room?id=lobby", "/announcements", "/notifications?user_id=ada", "/audit", "/keys")
SIZES = {"light, on a desk": ("light", 1280, 860), "dark, on a phone": ("dark", 375, 740)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a moment."""
    monkeypatch.setattr(live, "EVERY_S", 100 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 50 * MS)


@pytest.fixture
async def page(server: Running, page: Page) -> AsyncIterator[Page]:
    """Watched for what its policy forbids; gone before its server is."""
    await page.add_init_script(WATCH)
    yield page
    assert [] == await page.evaluate("violations")
    await page.goto("about:blank")  # else it would complain that its server went away


async def _sign_in(page: Page, url: str, key: str = ADMIN_KEY) -> None:
    await page.goto(f"{url}/console")
    await page.fill("[name=key]", key)
    await page.press("[name=key]", "Enter")
    await expect(page.locator("h1")).to_have_text("Overview")


async def _is_live(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_text("live")


async def _press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def _tab_to(page: Page, text: str) -> None:
    """By the Tab key alone, to what has this text or label, and shows that it has the focus."""
    name = "() => document.activeElement.labels?.[0]?.innerText.trim() || document.activeElement.innerText?.trim()"
    for _ in range(60):
        await page.keyboard.press("Tab")
        if text == await page.evaluate(name):
            assert "none" != await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), text
            return
    raise AssertionError(text)


@pytest.mark.parametrize(("scheme", "width", "height"), SIZES.values(), ids=SIZES)
async def test_axe_finds_nothing_and_nothing_is_cut_off(browser: Browser, server: Running, api: ApiClient, scheme, width, height):
    await api.post("/rooms", {"id": "lobby", "name": XSS})
    await api.put("/rooms/lobby/members/ada")
    await api.post("/announcements", {"message": "Back in five minutes", "priority": "high"})
    await api.post("/notifications", {"user_ids": ["ada"], "title": "Paid", "message": XSS})
    await api.post("/api-keys", {"name": "till", "scopes": ["rooms:read"]})
    context = await browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    try:
        page = await context.new_page()
        await page.add_init_script(WATCH)
        await page.goto(f"{server.url}/console")
        assert [] == await violations(page)
        await _sign_in(page, server.url)
        async with server.socket("ada", name=XSS) as ada:
            await ada.ask("join-room", {"roomId": "lobby"})
            await expect(page.locator("svg").first).to_be_visible(timeout=PATIENCE_MS)
            assert [] == await violations(page)
            for path in (*PAGES[1:], f"/connection?id={ada.id}"):
                await page.goto(f"{server.url}/console{path}")
                await page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
                assert [] == await violations(page), path
                assert 0 >= await page.evaluate("document.documentElement.scrollWidth - innerWidth"), path
                assert [] == await page.evaluate("violations"), path
                assert "hacked" != await page.title()
    finally:
        await context.close()


async def test_everything_is_done_with_a_keyboard_alone(page: Page, server: Running, api: ApiClient):
    await _sign_in(page, server.url)
    await _tab_to(page, "To the content")
    await _press(page, "Enter", "Tab")
    assert await page.evaluate("document.activeElement === document.body || !document.activeElement.closest('nav, header')")
    await page.goto(f"{server.url}/console")
    await _tab_to(page, "Announcements")
    await _press(page, "Enter")
    await expect(page.locator("h1")).to_have_text("Announcements")
    await _tab_to(page, "Message")
    await page.keyboard.type("Back in five minutes")
    await _tab_to(page, "Preview")
    await _press(page, "Enter")
    await expect(page.locator(".preview")).to_contain_text("Nothing was sent.")
    await _tab_to(page, "Announce")
    await _press(page, "Enter")
    await expect(page.locator(".said")).to_have_text("The announcement is on its way.")
    await _tab_to(page, "Recall it")
    await _press(page, "Enter", "Tab", "Enter")
    await expect(page.locator(".said")).to_contain_text("was recalled")
    assert [] == (await api.get("/announcements")).json()["items"]
    await _tab_to(page, "Sign out")
    await _press(page, "Enter")
    await expect(page.locator(".said")).to_have_text("You are signed out.")


async def test_the_list_follows_who_comes_and_goes_and_the_focus_stays(page: Page, server: Running):
    await _sign_in(page, server.url)
    async with server.socket("ada", name=XSS):
        await page.goto(f"{server.url}/console/connections")
        await _is_live(page)
        await page.focus("tbody a")
        focused = await page.evaluate("document.activeElement.id")
        await page.set_viewport_size({"width": 375, "height": 740})
        await page.evaluate("document.getElementById('table').scrollLeft = 120")
        async with server.socket("bob", name="Bob"):
            await expect(page.locator("tbody tr")).to_have_count(2)
            assert focused == await page.evaluate("document.activeElement.id")
            assert 120 == await page.evaluate("document.getElementById('table').scrollLeft")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody th")).to_contain_text(XSS)


async def test_a_connection_is_closed_from_its_story(page: Page, server: Running):
    await _sign_in(page, server.url)
    async with server.socket("ada", name="Ada") as ada:
        await page.goto(f"{server.url}/console/connections")
        await page.click("tbody a")
        await page.click("text=Close it")
        await page.click("text=Yes, close it")
        await expect(page.locator(".said")).to_have_text("The connection was closed.")
        assert 4409 == (await ada.closed())[0]


async def test_when_the_key_is_revoked_the_page_is_left(page: Page, server: Running, api: ApiClient):
    key = await api.key_with("rooms:read")
    await _sign_in(page, server.url, key)
    await page.goto(f"{server.url}/console/rooms")
    await _is_live(page)
    await api.delete(f"/api-keys/{key.split('_')[1]}")
    await expect(page.locator("[name=key]")).to_be_visible()


async def test_the_page_is_live_again_after_its_connection_was_lost(page: Page, server: Running, console: Console, api: ApiClient):
    await _sign_in(page, server.url)
    await page.goto(f"{server.url}/console/rooms")
    await _is_live(page)
    await page.evaluate("wsx.reconnect()")
    await _is_live(page)
    await api.post("/rooms", {"id": "lobby"})
    await expect(page.locator("tbody")).to_contain_text("lobby")


async def test_a_page_pauses_and_goes_on(page: Page, server: Running, api: ApiClient):
    await _sign_in(page, server.url)
    await page.goto(f"{server.url}/console/rooms")
    await _is_live(page)
    await _tab_to(page, "Pause")
    await _press(page, "Enter")
    await expect(page.locator("#connection")).to_have_text("paused")
    await expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    await api.post("/rooms", {"id": "lobby"})
    await _press(page, "Enter")
    await _is_live(page)
    await expect(page.locator("tbody")).to_contain_text("lobby")


async def test_what_is_wrong_in_a_form_is_marked_and_has_the_focus(page: Page, server: Running, console: Console):
    console.expect("422")
    await _sign_in(page, server.url)
    await page.goto(f"{server.url}/console/announcements")
    await page.fill("[name=message]", "Back in five minutes")
    await page.select_option("[name=audience]", "users")
    await page.click("text=Preview")
    await expect(page.locator("#wrong-names")).to_have_text("name at least one, with commas between")
    assert "names" == await page.evaluate("document.activeElement.name")
    assert [] == await violations(page)
    assert ["Back in five minutes", "users"] == [await page.input_value(f"[name={name}]") for name in ("message", "audience")]
    await page.goto(f"{server.url}/console/connections?node=nowhere")
    await expect(page.locator("#wrong-node")).to_contain_text("no such node")
    assert "nowhere" == await page.input_value("[name=node]")
    await _is_live(page)


async def test_nothing_on_a_live_page_is_read_out_each_second(page: Page, server: Running):
    await _sign_in(page, server.url)
    await expect(page.locator("svg").first).to_be_visible(timeout=PATIENCE_MS)
    assert 0 == await page.locator("#live :is(output, [role=status], [role=alert], [aria-live])").count()
    assert 0 == await page.locator("[aria-live]:has(#live)").count()
    for label in await page.locator("#live svg").evaluate_all("charts => charts.map((chart) => chart.ariaLabel)"):
        assert "over the last two minutes: now" in label
