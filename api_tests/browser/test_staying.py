"""A page says that its user is there, no more often than it must; one that was idle for too long is back when its user is."""

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Visit
from api_tests.browser.reading import count_sockets, events, opened
from api_tests.browser.scripted import Peer

AN_HOUR_MS = 3_600_000


async def said_active(page: Page, peer: Peer) -> int:
    """How often until now, what is still on its way included."""
    await page.evaluate("() => void wsx.send('marker').catch(() => {})")
    await peer.asked()
    return peer.actives


@pytest.mark.parametrize("act", ["key", "mouse"])
async def test_a_page_says_at_most_once_a_minute_that_its_user_is_there(page: Page, visit: Visit, act: str):
    async def user_acts() -> None:
        await (page.keyboard.press("Shift") if act == "key" else page.mouse.click(5, 5))

    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at("2030-01-01")
    for pause_ms in (0, 0, 59_900, 200):  # the first and the last of them are a minute apart
        await page.clock.run_for(pause_ms)
        await user_acts()
    assert 2 == await said_active(page, peer)
    await page.clock.run_for(59_900)
    await user_acts()
    assert 2 == await said_active(page, peer)  # what was asked was a sign of life, too


@pytest.mark.parametrize(
    ("config", "expected"), [("/ws", 0), ('{"url": "/ws", "keepAlive": true}', 60)], ids=["page", "wall display"]
)
async def test_without_its_user_only_a_wall_display_says_anything(page: Page, visit: Visit, config: str, expected: int):
    await page.clock.install()
    peer = await visit("<p>x</p>", config=config)
    await page.clock.pause_at("2030-01-01")
    before = await said_active(page, peer)
    await page.clock.run_for(AN_HOUR_MS)
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
