"""The whole way, as in life: the product in its own process, curl in the back office, three people at their browsers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from api_tests.browser.process import Process
from api_tests.browser.town import Town, join
from api_tests.guide.pages import shell
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS

BACK_WITHIN_MS = 40_000
"""The longest pause between two attempts of a page is 30 s."""


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Process]:
    async with Process(tmp_path) as process:
        yield process


@pytest.fixture
async def town(browser: Browser, product: Process) -> AsyncIterator[Town]:
    async with Town(browser, product.url) as people:
        yield people


async def test_a_call_reaches_just_the_right_pages_also_after_a_crash(town: Town, product: Process) -> None:
    ada, bob, nobody = await town.visit("Ada", "premium"), await town.visit("Bob"), await town.visit()
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
    await product.curl("/broadcasts", '{"audience": {"kind": "everyone"}, "target": "#global-status", "html": "<p>Here again</p>"}')
    for page in pages:
        await expect(page.locator("#global-status p")).to_have_text("Here again")
    assert [1, 1] == [await page.locator(".announcement, .notification").count() for page in (ada, bob)]


async def test_what_the_page_tells_people_to_call_works(town: Town, product: Process) -> None:
    ada, bob = await town.visit("Ada", "admin"), await town.visit("Bob")
    await join(ada, "Lobby")
    commands = await ada.locator("#outside-card pre").inner_text()
    await shell(commands.replace("wsx_…", f"'{ADMIN_KEY}'"))
    for page in (ada, bob):
        await expect(page.locator("#global-status p")).to_have_text("Back in five minutes")
        await expect(page.locator(".announcement p")).to_have_text("Free coffee in the kitchen")
        await expect(page.locator(".maintenance-notice")).to_contain_text("The shop is closed for half an hour")
    await expect(ada.locator(".notification .message")).to_have_text("Order 1042 was paid")
    await expect(ada.locator("#chat-messages .content")).to_have_text("Good morning from the back office")
    await expect(ada.locator("#dashboard-stats")).to_contain_text("$1234.50")
    assert 0 == await bob.locator(".notification, .message, .stat").count()


async def test_authorize_and_try_it_in_the_docs_really_broadcasts(town: Town, product: Process) -> None:
    watcher, docs = await town.visit(), await town.visit()
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


async def test_a_page_lives_through_a_restart_in_which_twenty_announcements_are_made(town: Town, product: Process) -> None:
    ada = await town.visit("Ada")
    await ada.evaluate("window.isTheSamePage = true; window.gaps = []")
    await ada.evaluate("document.addEventListener('wsx:gap', ({ detail }) => gaps.push(detail.targets))")

    async def announce(api: httpx.AsyncClient, text: str) -> None:
        """Again while nobody listens, as a tool of the back office does."""
        while True:
            with suppress(httpx.TransportError):
                if (await api.post("/announcements", json={"message": text, "priority": "high"})).status_code == HTTPStatus.CREATED:
                    return
            await asyncio.sleep(20 * MS)

    has_ended = asyncio.Event()

    async def restart() -> None:
        await product.stop()
        has_ended.set()
        await product.start()

    texts = [f"number {number}" for number in range(20)]
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=f"{product.url}/api/v1", headers=key) as api, asyncio.TaskGroup() as tasks:
        for text in texts[:5]:
            await announce(api, text)
        tasks.create_task(restart())
        for text in texts[5:10]:
            await announce(api, text)
        await has_ended.wait()
        for text in texts[10:]:
            await announce(api, text)
    await expect(ada.locator("#announcements .announcement p")).to_have_text(texts[::-1], timeout=BACK_WITHIN_MS)
    await ada.wait_for_function("window.gaps?.length")
    await expect(ada.locator("#missed")).to_contain_text("Load the page again")
    assert await ada.evaluate("window.isTheSamePage")
    assert [[]] == await ada.evaluate("gaps")  # its journal has ended with the process: any target may have been missed
