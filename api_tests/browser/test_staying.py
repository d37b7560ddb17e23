"""A page says that its user is there, no more often than it must; one that was idle for too long is back when its user is.

The server answers, and a page that hears nothing then knows that its connection is dead.
"""

import pytest
from playwright.async_api import Page, expect

from api_tests.browser.conftest import Visit
from api_tests.browser.reading import count_sockets, events, opened
from api_tests.browser.scripted import Peer, Site
from api_tests.waiting import eventually

AN_HOUR_MS = 3_600_000
A_DAY = "2030-01-01"
WALL_DISPLAY = '{"url": "/ws", "keepAlive": true}'


async def said_active(page: Page, peer: Peer) -> int:
    """How often until now, what is still on its way included."""
    await page.evaluate("() => void (window.marker = wsx.send('marker'))")
    await peer.answer(await peer.asked())
    await page.evaluate("marker")
    return peer.actives


@pytest.mark.parametrize("act", ["key", "mouse"])
async def test_a_page_says_at_most_once_a_minute_that_its_user_is_there(page: Page, visit: Visit, act: str):
    async def user_acts() -> None:
        await (page.keyboard.press("Shift") if act == "key" else page.mouse.click(5, 5))

    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at(A_DAY)
    await user_acts()
    await eventually(lambda: peer.actives)
    await peer.update("p", "behind the answer")
    await expect(page.locator("p")).to_have_text("behind the answer")  # its clock would else run on without any
    for pause_ms in (0, 59_900, 200):  # the first and the last of them all are a minute apart
        await page.clock.run_for(pause_ms)
        await user_acts()
    assert 2 == await said_active(page, peer)
    await page.clock.run_for(59_900)
    await user_acts()
    assert 2 == await said_active(page, peer)  # what was asked was a sign of life, too


@pytest.mark.parametrize(("config", "expected"), [("/ws", 0), (WALL_DISPLAY, 1)], ids=["page", "wall display"])
async def test_without_its_user_only_a_wall_display_says_anything(page: Page, visit: Visit, config: str, expected: int):
    await page.clock.install()
    peer = await visit("<p>x</p>", config=config)
    await page.clock.pause_at(A_DAY)
    for _ in range(5):
        before = await said_active(page, peer)
        await page.clock.run_for(60_000)
        assert expected == await said_active(page, peer) - before


@pytest.mark.parametrize(("code", "is_back"), [(4408, True), (4401, False), (4403, False), (4409, False), (4429, False)])
async def test_of_those_who_were_closed_on_purpose_only_an_idle_page_is_back_and_only_with_its_user(
    page: Page, visit: Visit, code: int, is_back: bool
):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await count_sockets(page)
    await peer.close(code)
    (told,) = await events(page, "disconnected")
    assert (code, False) == (told["code"], told["willReconnect"])
    await page.clock.run_for(AN_HOUR_MS)
    assert 0 == await opened(page)
    await page.keyboard.press("Shift")
    assert is_back == await opened(page)
    await page.evaluate("wsx.connect()")  # in any case when the site's own code says so
    await events(page, "connected", 2)
    assert 1 == await opened(page)


async def test_a_window_in_front_is_a_sign_of_its_user_and_one_out_of_sight_is_none(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at(A_DAY)
    before = await said_active(page, peer)
    await page.clock.run_for(60_000)
    await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => hides, configurable: true}); window.hides = true")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert 0 == await said_active(page, peer) - before
    await page.clock.run_for(60_000)
    await page.evaluate("window.hides = false; dispatchEvent(new Event('focus'))")
    assert 1 == await said_active(page, peer) - before


async def test_a_wall_display_that_was_closed_as_idle_is_back_by_itself(page: Page, visit: Visit, site: Site):
    peer = await visit("<p>x</p>", config=WALL_DISPLAY)
    await peer.close(4408)
    (told,) = await events(page, "disconnected")
    assert told["willReconnect"]
    await site.peer(2)


async def test_what_an_idle_page_asks_waits_until_its_user_is_back(page: Page, visit: Visit, site: Site):
    peer = await visit("<p id=p wx-send=clicked wx-swap=none wx-trigger='ping from:document'>x</p>")
    await page.evaluate("() => void (window.late = wsx.send('under way').catch(({code}) => code))")
    await peer.asked()
    await peer.close(4408)
    await events(page, "disconnected")
    assert "closed" == await page.evaluate("late")
    await page.evaluate("document.dispatchEvent(new Event('ping'))")
    assert 1 == site.handshakes
    await page.keyboard.press("Shift")
    second = await site.peer(2)
    assert "clicked" == (await second.asked())["handler"]


async def act(page: Page, what: str) -> None:
    """Something after which the page says that its user is there, or asks."""
    if what == "key":
        await page.clock.run_for(60_000)
        await page.keyboard.press("Shift")
    elif what == "online":
        await page.evaluate("dispatchEvent(new Event('online'))")
    else:
        await page.evaluate("() => void wsx.send('x')")
        await page.clock.run_for(30_001)


@pytest.mark.parametrize("what", ["key", "online", "timeout"])
async def test_a_connection_on_which_nothing_is_answered_is_given_up_after_ten_seconds(
    page: Page, visit: Visit, site: Site, what: str
):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at(A_DAY)
    peer.is_silent = True
    await act(page, what)
    await eventually(lambda: peer.actives == 1)
    await page.clock.run_for(9_000)
    assert await page.evaluate("wsx.isConnected()")
    await page.clock.run_for(1_001)
    (told,) = await events(page, "disconnected")
    assert (1006, "no sign of life", True) == (told["code"], told["reason"], told["willReconnect"])
    await page.clock.run_for(501)
    await site.peer(2)


async def test_a_connection_that_lives_is_kept_whatever_a_handler_needs(page: Page, visit: Visit, site: Site):
    await page.clock.install()
    peer = await visit("<p id=p></p>")
    await page.clock.pause_at(A_DAY)
    await act(page, "timeout")
    await eventually(lambda: peer.actives == 1)
    await peer.update("#p", "heard")  # behind the answer
    await events(page, "afterSwap")
    peer.is_silent = True
    await page.clock.run_for(20_000)
    await act(page, "online")
    await eventually(lambda: peer.actives == 2)
    await peer.update("#p", "whatever is heard is a sign of life")
    await events(page, "afterSwap", 2)
    await page.clock.run_for(20_000)
    assert await page.evaluate("wsx.isConnected()")
    assert 1 == site.handshakes
