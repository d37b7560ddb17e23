"""A page that is loaded anew when something was missed for good (`wx-gap="reload"`): not with all others, not again and again."""

from playwright.async_api import Page

from api_tests.browser.conftest import Visit
from api_tests.browser.reading import events, handlers
from api_tests.browser.scripted import Peer, Site

PAGE = "<main wx-gap=reload><p id=a></p><input id=i></main>"
WAITS = """
window.waits = [];
window.setTimeout = ((begin) => (what, ms, ...rest) => { waits.push(ms); return begin(what, ms, ...rest); })(setTimeout);
Math.random = () => 0.1;
"""
"""Keeps how long the page waits for anything; and chance is always the same."""
AN_HOUR_MS = 3_600_000


async def gap(peer: Peer, *targets: str) -> None:
    await peer.say(type="gap", cursor="9", targets=list(targets))


async def is_settled(page: Page) -> None:
    """What had to happen in an hour has happened: a page that is to be loaded anew would be gone."""
    await page.clock.run_for(AN_HOUR_MS)


async def test_it_is_loaded_anew_at_a_moment_of_its_own_and_not_twice_in_a_minute(page: Page, visit: Visit, site: Site) -> None:
    await page.add_init_script(WAITS)
    peer = await visit(PAGE)
    await gap(peer)
    await events(page, "gap")
    assert [500] == await page.evaluate("waits.filter((ms) => ms >= 500)")
    again = await site.peer(2)
    await gap(again, "#a")
    await events(page, "gap")
    (wait_ms,) = await page.evaluate("waits.filter((ms) => ms >= 500)")
    assert 60_500 - await page.evaluate("performance.now()") <= wait_ms < 60_500


async def test_it_waits_while_somebody_types(page: Page, visit: Visit, site: Site) -> None:
    await page.clock.install()
    peer = await visit(PAGE)
    await page.evaluate("Math.random = () => 0.1")
    await page.type("#i", "half a sen")
    await gap(peer)
    await gap(peer)
    await events(page, "gap", 2)
    await page.clock.run_for(60_000)
    assert "half a sen" == await page.input_value("#i")
    await page.fill("#i", "")
    await site.peer(2)


async def test_a_page_without_the_places_and_one_whose_listener_minds_are_left_alone(page: Page, visit: Visit, site: Site) -> None:
    await page.clock.install()
    peer = await visit(PAGE)
    await gap(peer, "#nowhere")
    await events(page, "gap")
    await is_settled(page)
    await page.evaluate("document.addEventListener('wsx:gap', (event) => event.preventDefault())")
    await gap(peer)
    await events(page, "gap", 2)
    await is_settled(page)
    assert [] == await handlers(page, peer)
    assert 1 == site.handshakes
