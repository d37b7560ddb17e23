"""When a page whose connection was lost tries again: for ever, ever more seldom, at random, and at once when that may help."""

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.reading import count_sockets, events, handlers, opened
from api_tests.browser.scripted import Peer, Site
from api_tests.waiting import eventually

LONGEST_MS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000)
CHANCE = 0.5


async def lost(page: Page, peer: Peer, site: Site, console: Console) -> None:
    """The page's connection is cut, its clock stands still, chance is always the same, and nobody answers."""
    console.expect("WebSocket connection to .* failed")
    await page.evaluate(f"Math.random = () => {CHANCE}")
    await count_sockets(page)
    site.refuse_with = 503
    peer.cut()
    await events(page, "disconnected")


async def test_it_tries_ever_more_seldom_until_it_is_back_and_then_begins_anew(
    page: Page, visit: Visit, site: Site, console: Console
):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at("2030-01-01")
    await lost(page, peer, site, console)
    for tries, longest_ms in enumerate(LONGEST_MS):
        await page.clock.run_for(CHANCE * longest_ms - 1)
        assert tries == await opened(page)
        await page.clock.run_for(2)
        await events(page, "disconnected", tries + 2)
        assert tries + 1 == await opened(page)
    site.refuse_with = None
    await page.clock.run_for(CHANCE * LONGEST_MS[-1] + 1)
    second = await site.peer(2)
    await events(page, "connected", 2)
    await page.clock.run_for(5_001)  # it lives: the next loss is a first one again
    second.cut()
    await events(page, "disconnected", len(LONGEST_MS) + 2)
    await page.clock.run_for(CHANCE * LONGEST_MS[0] + 1)
    await site.peer(3)


@pytest.mark.parametrize("sign", ["online", "visibilitychange"])
async def test_it_tries_at_once_when_the_network_or_its_user_is_back(
    page: Page, visit: Visit, site: Site, console: Console, sign: str
):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at("2030-01-01")
    await lost(page, peer, site, console)
    site.refuse_with = None
    await page.evaluate("sign => document.dispatchEvent(new Event(sign, { bubbles: true }))", sign)
    await site.peer(2)


async def test_a_page_that_hung_up_stays_away_until_it_is_told_otherwise(page: Page, visit: Visit, site: Site):
    peer = await visit("<p>x</p>")
    await page.evaluate("wsx.disconnect()")
    await eventually(lambda: peer.is_closed)
    assert not await page.evaluate("wsx.isConnected()")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.evaluate("wsx.reconnect()")
    await site.peer(2)
    await events(page, "connected", 2)
    assert 2 == site.handshakes


async def test_after_a_drain_it_comes_back_in_its_own_slot_and_is_hurried_by_nothing(page: Page, visit: Visit, site: Site):
    await page.clock.install()
    peer = await visit("<p>x</p>")
    await page.clock.pause_at("2030-01-01")
    await page.evaluate(f"Math.random = () => {CHANCE}")
    await count_sockets(page)
    await peer.say(type="drain", retry_in_ms=9_000)
    await peer.close(1012)
    await events(page, "disconnected")
    await page.evaluate("dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))")
    await page.clock.run_for(8_999)
    assert 0 == await opened(page)
    await page.clock.run_for(2)
    assert 1 == await opened(page)
    second = await site.peer(2)
    await events(page, "connected", 2)
    second.cut()  # the slot was for one time
    await events(page, "disconnected", 2)
    await page.clock.run_for(CHANCE * LONGEST_MS[1] + 1)
    assert 2 == await opened(page)
    await site.peer(3)


@pytest.mark.parametrize(("code", "told"), [(1012, [True, False]), (4401, [False]), (4408, [False, False])])
async def test_a_listener_that_hears_of_the_loss_may_hang_up(page: Page, visit: Visit, site: Site, code: int, told: list[bool]):
    peer = await visit("<p>x</p>")
    await page.evaluate("document.addEventListener('wsx:disconnected', () => wsx.disconnect())")
    await peer.close(code)
    await events(page, "disconnected", len(told))
    await page.evaluate("wsx.disconnect(); dispatchEvent(new Event('online'))")  # there is nothing to hang up, nor to hurry
    assert told == [event["willReconnect"] for event in await events(page, "disconnected")]
    assert 1 == site.handshakes


@pytest.mark.parametrize("code", [1012, 4401, 4408])
async def test_a_listener_that_hears_of_the_loss_may_come_back_at_once(page: Page, visit: Visit, site: Site, code: int):
    peer = await visit("<p>x</p>")
    await page.evaluate("document.addEventListener('wsx:disconnected', () => wsx.reconnect())")
    await peer.close(code)
    assert [] == await handlers(page, await site.peer(2))
    assert 1 == len(await events(page, "disconnected"))
