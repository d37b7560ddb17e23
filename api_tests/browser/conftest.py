"""A real Chromium, one page per test whose errors fail the test, and a scripted server for it to talk to."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from api_tests.browser.page_guide import POLICY, blocks, page_of
from api_tests.browser.scripted import Peer, Site
from api_tests.browser.town import PATIENCE_MS, Town
from api_tests.missing import missing
from api_tests.server import Running, run_server
from app.settings import Settings

Visit = Callable[..., Awaitable[Peer]]
Example = Callable[[str], Awaitable[Peer]]

expect.set_options(timeout=PATIENCE_MS)

CHROMIUMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--mute-audio")

RECORDER = """
window.heard = [];
for (const name of ["connected", "disconnected", "hello", "beforeRequest", "beforeSwap", "afterSwap", "error", "gap", "drain"]) {
  document.addEventListener(`wsx:${name}`, (event) => heard.push({
    name, at: event.target.id || event.target.nodeName,
    ...JSON.parse(JSON.stringify(event.detail, (_, value) => value instanceof Node ? value.id || value.nodeName : value)),
  }));
}
"""
"""Keeps every event of the client in `heard`: its name, where it was dispatched, its detail."""


class Console:
    """What the page complained about. A test that wants a complaint says so; any other fails it."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        self._expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(re.search(pattern, error) for pattern in self._expected)]


def chromium() -> str:
    """Where Chromium is."""
    chosen = os.environ.get("CHROMIUM") or next(filter(os.path.exists, CHROMIUMS), None) or shutil.which("google-chrome")
    return chosen or missing("Chromium is missing: apt install chromium, or name one in CHROMIUM")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield started
        await started.close()


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """With the demo page."""
    async with run_server(settings, demo=True) as running:
        yield running


@pytest.fixture
async def town(browser: Browser, server: Running) -> AsyncIterator[Town]:
    async with Town(browser, server.url) as people:
        yield people


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
async def page(browser: Browser, console: Console) -> AsyncIterator[Page]:
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda message: console.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.errors.append(str(error)))
    await page.add_init_script(RECORDER)
    yield page
    await context.close()
    assert [] == console.unexpected


@pytest.fixture
async def site(page: Page) -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await page.goto("about:blank")  # else the page would complain that its server went away
    await site.stop()


@pytest.fixture
def visit(page: Page, site: Site) -> Visit:
    """Open a page with this body, and return the server's end of its socket."""

    async def open_page(body: str, *, head: str = "", config: str = "/ws", **headers: Any) -> Peer:
        start = f"<!doctype html><html><head>{head}<script src='/wsx.js'></script></head>"
        site.html = f"{start}<body wx-config='{config}'>{body}</body></html>"
        site.headers = headers
        await page.goto(site.url)
        peer = await site.peer()
        await page.wait_for_function("heard.some((event) => event.name === 'connected')")
        return peer

    return open_page


@pytest.fixture
def example(page: Page, site: Site) -> Example:
    """Open an example of the page guide under the strictest policy, and return the server's end of its socket."""

    async def open_example(name: str) -> Peer:
        site.html, site.headers = page_of(name), {"Content-Security-Policy": POLICY}
        site.files["/listeners.js"] = blocks("js").get(name, "")
        await page.goto(site.url)
        return await site.peer()

    return open_example
