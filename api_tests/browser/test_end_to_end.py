"""The whole way, as in life: the product in its own process, curl in the back office, three people at their browsers."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from api_tests.browser.process import Process
from api_tests.server import ADMIN_KEY

BACK_WITHIN_MS = 40_000
"""The longest pause between two attempts of a page is 30 s."""

WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Process]:
    async with Process(tmp_path) as process:
        yield process


@asynccontextmanager
async def person(browser: Browser, product: Process, name: str = "", role: str = "") -> AsyncIterator[Page]:
    """Somebody on the demo page, signed in when they have a name, with a live connection."""
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.add_init_script(WATCH_POLICY)
        await page.goto(product.url)
        if name:
            await page.fill("input[name=name]", name)
            await page.select_option("select[name=role]", role)
            await page.click("text=Sign in")
            await expect(page.locator(".who-am-i b")).to_have_text(name)
        await expect(page.locator("#connection")).to_have_text("live")
        yield page
        assert [] == await page.evaluate("violations")


async def test_a_call_reaches_just_the_right_pages_also_after_a_crash(browser: Browser, product: Process) -> None:
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(person(browser, product, "Ada", "premium"))
        bob = await stack.enter_async_context(person(browser, product, "Bob"))
        nobody = await stack.enter_async_context(person(browser, product))
        pages = ada, bob, nobody
        for page in pages:
            await expect(page.locator("#who-count")).to_have_text("3")

        await product.curl(
            "/broadcasts", '{"audience": {"kind": "everyone"}, "target": "#global-status", "html": "<p>Back at noon</p>"}'
        )
        for page in pages:
            await expect(page.locator("#global-status p")).to_have_text("Back at noon")

        await product.curl("/announcements", '{"message": "Lounge <open>", "priority": "medium"}')
        await product.curl("/notifications", '{"user_ids": ["bob"], "title": "New order", "message": "1042 & more"}')
        await product.curl(
            "/broadcasts", '{"audience": {"kind": "everyone"}, "target": "#global-status", "html": "<p>That was all</p>"}'
        )
        for page in pages:
            await expect(page.locator("#global-status p")).to_have_text("That was all")
        await expect(ada.locator("#announcements .announcement.priority-medium p")).to_have_text("Lounge <open>")
        await expect(bob.locator("#notifications .notification .message")).to_have_text("1042 & more")
        assert [1, 0, 0] == [await page.locator(".announcement").count() for page in pages]
        assert [0, 1, 0] == [await page.locator(".notification").count() for page in pages]

        await product.kill()
        for page in pages:
            await expect(page.locator("#connection")).to_have_text("connection lost, coming back")
        await product.start()
        for page in pages:
            await expect(page.locator("#connection")).to_have_text("live", timeout=BACK_WITHIN_MS)
        await product.curl(
            "/broadcasts", '{"audience": {"kind": "everyone"}, "target": "#global-status", "html": "<p>Here again</p>"}'
        )
        for page in pages:
            await expect(page.locator("#global-status p")).to_have_text("Here again")
        assert [1, 1] == [await page.locator(".announcement, .notification").count() for page in (ada, bob)]


async def test_what_people_say_reaches_everybody_as_text(browser: Browser, product: Process) -> None:
    async with person(browser, product, "<b>Ada</b>") as ada, person(browser, product) as nobody:
        await ada.fill("#wave-message", "<img src=x onerror=alert(1)>")
        await ada.press("#wave-message", "Enter")
        for page in (ada, nobody):
            await expect(page.locator("#waves li")).to_have_text(re.compile(r"<b>Ada</b> <img src=x onerror=alert\(1\)>"))
            assert 0 == await page.locator("#waves img").count()
        await expect(ada.locator("#wave-message")).to_have_value("")


async def test_authorize_and_try_it_in_the_docs_really_broadcasts(browser: Browser, product: Process) -> None:
    async with person(browser, product) as watcher, person(browser, product) as docs:
        elsewhere: list[str] = []
        docs.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith(product.url) else None)
        await docs.goto(f"{product.url}/docs")
        await docs.click("button.authorize")
        await docs.fill(".auth-container input", ADMIN_KEY)
        await docs.click(".auth-btn-wrapper button.authorize")
        await docs.click(".auth-btn-wrapper button.btn-done")
        operation = docs.locator("#operations-Broadcasts-create_broadcast")
        await operation.locator(".opblock-summary-control").click()
        body = operation.locator("textarea.body-param__text")
        await body.fill('{"audience": {"kind": "everyone"}, "target": "#global-status", "html": "<p>From the docs</p>"}')
        await operation.locator("button.execute").click()
        await expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("202")
        await expect(watcher.locator("#global-status p")).to_have_text("From the docs")
        assert [] == [url for url in elsewhere if not url.startswith("data:")]
