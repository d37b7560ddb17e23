"""What a page tells who makes it: mistakes in the console, where one looks; what is nobody's mistake, nowhere in sight."""

import pytest
from playwright.async_api import ConsoleMessage, Page

from api_tests.browser.conftest import Visit
from api_tests.browser.reading import events, handlers
from api_tests.browser.scripted import Site
from api_tests.npm import package


@pytest.fixture
def warnings(page: Page) -> list[str]:
    """What was warned of until now."""
    told: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "warning":
            told.append(message.text)

    page.on("console", hear)
    return told


async def test_a_script_that_is_loaded_twice_is_one(page: Page, visit: Visit, site: Site, warnings: list[str]) -> None:
    peer = await visit("<p id=p wx-send=like>x</p><script src=/wsx.js></script>")
    await page.evaluate(
        """() => new Promise((done) => {
             const again = document.createElement("script");
             Object.assign(again, { src: "/wsx.js", onload: done });
             document.body.append(again);
           })"""
    )
    await page.click("#p")
    assert ["like"] == await handlers(page, peer)
    assert 1 == site.handshakes
    assert ["wsx: loaded twice"] * 2 == warnings


async def test_what_becomes_of_a_page_s_own_requests_is_told_and_a_broadcast_that_has_no_place_is_not(
    page: Page, visit: Visit, warnings: list[str]
) -> None:
    peer = await visit("<p id=p wx-send=x>x</p>")
    await peer.update("#not-here", "x")
    await page.click("#p")
    request = await peer.asked()
    await peer.say(type="error", id=request["id"], code="no_handler", detail="no handler is named 'x'")
    await peer.answer(request, "x", target="#nowhere")
    await events(page, "error", 2)
    assert ["wsx: no_handler no handler is named 'x'", "wsx: no_target no place for HTML: #nowhere"] == warnings


async def test_words_that_nobody_knows_are_told_once(page: Page, visit: Visit, warnings: list[str]) -> None:
    wrong = "<p wx-send=x wx-swap='inerHTML' wx-trigger='click dely:500ms'>x</p>"
    peer = await visit(f"{wrong}{wrong}<p wx-send=x wx-swap='morph scroll:top' wx-trigger='click once'>x</p>")
    for number in range(3):
        await page.locator("body > p").nth(number).click()
    assert ["x"] * 3 == await handlers(page, peer)
    assert ["wsx: not known: dely in wx-trigger", "wsx: not known: inerHTML in wx-swap"] == warnings


async def test_a_place_may_be_given_to_send_as_a_text(page: Page, visit: Visit) -> None:
    peer = await visit("")
    await page.evaluate("() => void wsx.send('echo', {}, '#o')")
    request = await peer.asked()
    assert ("#o", "innerHTML") == (request["target"], request["swap"])


async def test_of_several_clients_of_one_page_only_the_first_asks_for_its_elements(page: Page, visit: Visit, site: Site) -> None:
    peer = await visit("<p id=p wx-send=like>x</p>")
    await page.evaluate("() => void new WSX()")
    other = await site.peer(2)
    await page.click("#p")
    assert ["like"] == await handlers(page, peer)
    assert [] == other.requests


@pytest.mark.parametrize("place", ["head", "body"])
async def test_pages_that_turbo_puts_in_work_and_have_one_connection(page: Page, site: Site, place: str) -> None:
    site.files["/turbo.js"] = (package("turbo") / "dist" / "turbo.es2017-umd.js").read_text()
    head, tail = ("<script src=/wsx.js></script>", "")[:: 1 if place == "head" else -1]
    site.html = f"""<!doctype html><html><head><title>x</title><script src=/turbo.js></script>{head}</head>
      <body wx-config=/ws><a href=/next>next</a><p id=p wx-send=like>x</p>{tail}</body></html>"""
    await page.goto(site.url)
    peer = await site.peer()
    await page.click("a")
    await page.wait_for_url("**/next")
    await page.wait_for_function("!document.documentElement.ariaBusy")
    await page.click("#p")
    assert ["like"] == await handlers(page, peer)
    assert 1 == site.handshakes
