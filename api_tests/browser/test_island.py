"""The demo page as visitors meet it: two windows, the island, what was sent; by keyboard, on a phone, and with less motion."""

import pytest
from playwright.async_api import Browser, Page, expect

from api_tests.browser.axe import violations
from api_tests.browser.town import PATIENCE_MS, Town, is_live, say
from api_tests.client import ApiClient

PHONE, DESK = {"width": 375, "height": 740}, {"width": 1440, "height": 900}


async def come_in(page: Page, name: str) -> None:
    await page.get_by_role("button", name=f"Come in as {name}").click()
    await expect(page.locator(".who-am-i b")).to_have_text(name)
    await is_live(page)


async def test_one_click_two_windows_and_each_sees_what_the_other_does(town: Town) -> None:
    ada = await town.visit()
    await come_in(ada, "Ada")
    await expect(ada.locator("#room-answer")).to_have_text("Joined room lobby")
    await expect(ada.locator("#location-answer")).to_have_text("Location set: Market")
    async with ada.expect_popup() as opened:
        await ada.click("text=Open a second window")
    bob = await opened.value
    bob.set_default_timeout(PATIENCE_MS)
    assert bob.url.startswith("http://localhost:")
    await come_in(bob, "Bob")
    assert "/" == await bob.evaluate("location.pathname + location.search")
    for page in (ada, bob):
        await expect(page.locator("#map-people .walker")).to_have_text(["A", "B"])
    await expect(ada.locator(".walker.me")).to_have_text("A")

    await say(bob, "Good morning")
    await expect(ada.locator("#chat-messages .content")).to_have_text("Good morning")
    said = ada.locator(".stat", has_text="Messages in the last hour")
    await expect(said.locator(".value")).to_have_text("1")
    before = await ada.locator(".walker[data-user=bob]").get_attribute("transform")
    await bob.locator(".map .spot[data-name=Lighthouse] .dot").click()
    await expect(bob.locator("#location-answer")).to_have_text("Location set: Lighthouse")
    await expect(ada.locator(".walker[data-user=bob]")).not_to_have_attribute("transform", before or "")
    await expect(ada.locator("#who [data-user=bob] small")).to_have_text("bob, Lighthouse")


async def test_whoever_comes_in_by_the_form_is_called_so(town: Town) -> None:
    page = await town.visit()
    await page.fill("input[name=name]", "Dora")
    await page.select_option("select[name=role]", "admin")
    await page.click("text=Sign in")
    await expect(page.locator(".who-am-i b")).to_have_text("Dora")
    await is_live(page)
    await expect(page.locator(".who-am-i .role")).to_have_text("admin")


async def test_a_click_on_the_island_is_a_walk_to_just_there(town: Town) -> None:
    ada = await town.visit("Ada")
    land = ada.locator(".land")
    box = await land.bounding_box()
    assert box
    await ada.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(ada.locator("#location-answer")).to_have_text("Location set: near the Station")
    x, y, width, height = [float(number) for number in (await land.get_attribute("viewBox") or "").split()]
    await expect(ada.locator(".walker")).to_have_count(1)
    shown = (await ada.locator(".walker").get_attribute("transform") or "").removeprefix("translate(").removesuffix(")").split()
    assert [pytest.approx(x + width / 2, abs=1), pytest.approx(y + height / 2, abs=1)] == [float(number) for number in shown]
    assert [] == await ada.locator(".chip[wx-send=set-location][aria-pressed=true]").all()


async def test_what_happens_somewhere_shows_on_the_island_and_on_the_wire(town: Town) -> None:
    ada = await town.visit("Ada")
    await ada.locator("#nearby-card").get_by_role("button", name="Harbour", exact=True).click()
    await expect(ada.locator("#location-answer")).to_have_text("Location set: Harbour")
    await ada.fill("[name=title]", "Street music")
    await ada.click("#nearby-card >> text=Tell")
    await expect(ada.locator(".spot.happens")).to_have_attribute("data-name", "Harbour")
    await expect(ada.locator("#wire")).to_contain_text("afterbegin #local-events")
    assert 8 == await ada.locator("#wire li").count()


async def test_each_card_shows_how_it_is_made_and_the_markup_does_just_that(town: Town) -> None:
    ada = await town.visit("Ada")
    summaries = ada.locator("summary", has_text="How it is made")
    for number in range(await summaries.count()):
        await summaries.nth(number).click()
        await expect(ada.locator("summary:text('How it is made') + pre").nth(number)).to_contain_text("wx-send=")
    markup = await ada.locator("#chat-card pre").inner_text()
    await ada.evaluate("(markup) => document.querySelector('#chat-card').innerHTML = markup", markup)
    await ada.click("#chat-card button:text('Lobby')")
    await expect(ada.locator("#room-answer")).to_have_text("Joined room lobby")
    await ada.fill("#chat-card [name=roomId]", "lobby")
    await ada.fill("#chat-card [name=message]", "Made of what was shown")
    await ada.click("#chat-card form button")
    await expect(ada.locator("#chat-messages .content")).to_have_text("Made of what was shown")


async def test_the_keyboard_reaches_all_of_it_and_shows_where_it_is(town: Town) -> None:
    ada = await town.visit("Ada")
    await ada.keyboard.press("Tab")
    skip = ada.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport(ratio=1)
    await ada.keyboard.press("Enter")
    await expect(ada.locator("main")).to_be_focused()
    chip = ada.locator("#nearby-card").get_by_role("button", name="Mill", exact=True)
    for _ in range(20):
        await ada.keyboard.press("Tab")
        assert await ada.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if await chip.evaluate("(chip) => chip === document.activeElement"):
            break
    await ada.keyboard.press("Enter")
    await expect(ada.locator("#location-answer")).to_have_text("Location set: Mill")


async def test_who_wants_less_motion_sees_none(town: Town) -> None:
    ada = await town.visit("Ada", reduced_motion="reduce")
    await ada.locator("#nearby-card").get_by_role("button", name="Mill", exact=True).click()
    await expect(ada.locator(".walker")).to_have_count(1)
    assert 0 == await ada.evaluate("document.getAnimations().length")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_axe_finds_nothing(town: Town, api: ApiClient, scheme: str, size: dict[str, int]) -> None:
    nobody, ada = [await town.visit(viewport=size, color_scheme=scheme, reduced_motion="reduce") for _ in range(2)]
    await come_in(ada, "Ada")
    await expect(ada.locator("#room-answer")).to_have_text("Joined room lobby")
    await fill(ada, api)
    for page in (nobody, ada):
        assert [] == await violations(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def fill(ada: Page, api: ApiClient) -> None:
    """Something of each kind stands on the page."""
    for number in range(12):
        await api.post("/rooms/lobby/messages", {"message": f"Message {number}"})
    for kind in ("info", "success", "warning", "error"):
        await api.post("/notifications", {"user_ids": ["ada"], "type": kind, "title": kind, "message": "Order 1042 was paid"})
    for priority in ("high", "medium", "low"):
        await api.post("/announcements", {"message": "Free coffee", "priority": priority})
    await api.post("/maintenance", {"message": "Closed for a while", "scheduled_time": "2030-01-02T22:00:00Z"})
    await api.put("/dashboard/figures", {"revenue": 1234.5})
    await api.broadcast("<p>Back in five minutes</p>", "#global-status")
    await ada.locator("#notifications button").first.click()
    await expect(ada.locator(".notification.read")).to_have_count(1)
    await ada.click("#chat-card >> text=How it is made")
    await ada.click("text=Mass update")
    await expect(ada.locator("#status")).to_have_text("Mass update initiated")
    await ada.evaluate("wsx.send('no-such-handler', {}, { target: '#event-answer' }).catch(() => {})")
    await expect(ada.locator("#event-answer .error")).to_be_visible()
    await expect(ada.locator("#dashboard-stats")).to_contain_text("Revenue")


async def test_axe_would_find_something(browser: Browser) -> None:
    page = await browser.new_page()
    await page.set_content("<html><body><img src='data:,'><input></body></html>")
    assert {"image-alt", "label"} <= {line.partition(":")[0] for line in await violations(page)}
    await page.close()
