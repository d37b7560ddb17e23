"""What the docs tell newcomers to do is done: their pages in Chromium, their handlers in the product, their commands in a shell."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from api_tests.browser.process import Process
from api_tests.browser.town import PATIENCE_MS
from api_tests.guide.pages import ROOT, blocks_of, serving, shell
from api_tests.server import ADMIN_KEY

XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def windows(browser: Browser) -> AsyncIterator[list[Page]]:
    """Two windows, side by side."""
    context = await browser.new_context()
    pages = [await context.new_page() for _ in range(2)]
    for page in pages:
        page.set_default_timeout(PATIENCE_MS)
    yield pages
    await context.close()


async def look(pages: list[Page], url: str = "") -> None:
    """Wait until they are connected; with an address, there."""
    for page in pages:
        if url:
            await page.goto(url)
        await page.wait_for_function("() => window.wsx?.isConnected()")


async def test_getting_started_from_nothing_to_a_page_with_a_broadcast(windows: list[Page], tmp_path: Path) -> None:
    async with serving((ROOT / "docs/getting-started.md").read_text(), "guestbook", tmp_path) as site:
        await look(windows, site.page)
        one, other = windows
        await one.click("text=Sign")
        await expect(one.locator("#answer .error")).to_have_text("Write something first")
        await one.fill("[name=name]", XSS)
        await one.fill("[name=words]", "So nice")
        await one.click("text=Sign")
        await expect(one.locator("#answer")).to_have_text("Thank you!")
        for page in windows:
            await expect(page.locator("#book li")).to_have_text(f"{XSS}: So nice")
        await expect(other.locator("#answer")).to_be_empty()
        curl = next(block for block in site.blocks["sh"] if "curl" in block)
        answer = await shell(curl.replace("wsx_…", f"'{ADMIN_KEY}'"))
        assert '"matched":2,"queued":2' in answer
        for page in windows:
            await expect(page.locator("#notice p")).to_have_text("We close in five minutes")


async def test_the_page_and_the_server_of_the_original_moved(windows: list[Page], tmp_path: Path) -> None:
    async with serving((ROOT / "docs/from-wsx.md").read_text(), "garden", tmp_path) as site:
        await look(windows, site.page)
        one, other = windows
        for page in windows:
            await expect(page.locator("#here")).to_have_text("2 here")
        await one.click("text=Say")
        await expect(one.locator("#answer .error")).to_have_text("Who are you?")
        for page, name in ((one, XSS), (other, "Bob")):
            await page.fill("[name=name]", name)
            await page.click("text=Enter")
            await expect(page.locator("#answer")).to_have_text(f"Welcome, {name}")
        await one.fill("#message-input", "Hello")
        await one.click("text=Say")
        for page in windows:
            await expect(page.locator("#messages li")).to_have_text(f"{XSS} Hello")
        await expect(one.locator("#message-input")).to_have_value("")


async def test_the_first_broadcast_of_the_readme_reaches_both_windows(windows: list[Page], tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    minute = text[text.index("## A first broadcast") : text.index("## On your own page")]
    async with Process(tmp_path) as product:
        ada, other = windows
        await ada.goto(product.url)
        await ada.click("text=Come in as Ada")
        await other.goto(product.url.replace("127.0.0.1", "localhost"))
        await look([ada, other])
        commands = "".join(blocks_of(minute)["sh"]).replace("http://127.0.0.1:8000", product.url)
        answers = await shell(commands.replace("wsx_…", f"'{ADMIN_KEY}'"))
        assert '"matched":2,"queued":2' in answers
        for page in (ada, other):
            await expect(page.locator("#global-status p")).to_have_text("Maintenance in 5 minutes")
        await expect(ada.locator(".notification .message")).to_have_text("Order 1042 was paid")
        assert 0 == await other.locator(".notification").count()


async def test_the_readme_page_and_handler_are_served_by_its_own_commands(windows: list[Page], tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    own = text[text.index("## On your own page") :]
    async with serving(own, "shop", tmp_path) as site:
        await look(windows, site.page)
        await windows[0].click("text=Like")
        await expect(windows[0].locator("#likes")).to_have_text("1")
        for page in windows:
            await expect(page.locator("#global-status p")).to_have_text("Somebody likes post 7")
