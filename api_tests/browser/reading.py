"""Reading the page: its events, its markup, and what it did not say."""

from typing import Any

from playwright.async_api import Page

from api_tests.browser.scripted import Peer

INTERVALS = """
window.intervals = {};
const [begin, end] = [setInterval, clearInterval];
window.setInterval = (what, ms) => { const which = begin(what, ms); intervals[which] = ms; return which; };
window.clearInterval = (which) => { delete intervals[which]; end(which); };
"""
"""Keeps the milliseconds of every interval that runs, in `intervals`."""


async def events(page: Page, name: str, count: int = 1) -> list[dict[str, Any]]:
    """All events of this name, as soon as there are so many."""
    given = {"name": name, "count": count}
    await page.wait_for_function("({name, count}) => heard.filter((event) => event.name === name).length >= count", arg=given)
    return await page.evaluate("(name) => heard.filter((event) => event.name === name)", name)


async def count_sockets(page: Page) -> None:
    """Count the sockets that the page opens from now on: before any of them reaches the server."""
    await page.evaluate(
        """() => {
             window.opened = 0;
             window.WebSocket = class extends WebSocket { constructor(...how) { super(...how); opened++; } };
           }"""
    )


async def opened(page: Page) -> int:
    return await page.evaluate("opened")


async def inner(page: Page, selector: str) -> str:
    return await page.locator(selector).inner_html()


async def asked_until_now(page: Page, peer: Peer) -> list[dict[str, Any]]:
    """All requests that no test has taken yet: a last one is made, and what came before it is the answer."""
    await page.evaluate("() => void wsx.send('that was all')")
    asked = []
    while (request := await peer.asked())["handler"] != "that was all":
        asked.append(request)
    return asked


async def handlers(page: Page, peer: Peer) -> list[str]:
    return [request["handler"] for request in await asked_until_now(page, peer)]
