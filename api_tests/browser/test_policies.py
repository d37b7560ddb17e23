"""The pages that we ship need no more than their policies allow: Chromium reports what a policy forbade, and reports nothing."""

import httpx
from playwright.async_api import Page, expect

from api_tests.browser.conftest import Console
from api_tests.browser.town import PATIENCE_MS, WATCH
from api_tests.server import ADMIN_KEY, Running

ALWAYS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def directives(policy: str) -> dict[str, set[str]]:
    return {name: set(values) for name, *values in (words.split() for words in policy.split(";"))}


async def test_the_policies_allow_nothing_inline_and_nothing_from_elsewhere(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        for path in ("/", "/docs", "/console/sign-in"):
            answer = await client.get(path)
            policy = directives(answer.headers["content-security-policy"])
            assert {"'none'"} == policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"]
            assert {"'self'"} == policy["script-src"] == policy["style-src"] == policy["connect-src"]
            assert {"'none'", "'self'", "data:"} >= set.union(*policy.values())
            assert ALWAYS.items() <= dict(answer.headers).items()


async def test_what_is_no_page_may_load_nothing_at_all(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        for path in ("/api/v1/rooms", "/nothing", "/openapi.json", "/wsx.js", "/health/live", "/metrics", "/ws"):
            answer = await client.get(path)
            assert "default-src 'none'; frame-ancestors 'none'" == answer.headers["content-security-policy"], path
            assert ALWAYS.items() <= dict(answer.headers).items(), path
            assert answer.headers["cache-control"] in {"no-store", "no-cache"}, path


async def _read_docs(page: Page, url: str) -> None:
    """Open them, and wait until all is loaded: whoever leaves sooner has a server that stops while it still answers."""
    await page.add_init_script(WATCH)
    await page.goto(f"{url}/docs")
    await expect(page.locator("[id$='get_cursor']")).to_be_visible()


async def test_the_docs_are_read_and_tried_and_nothing_was_forbidden(page: Page, server: Running) -> None:
    await _read_docs(page, server.url)
    await page.locator(".btn.authorize").first.click()
    await page.locator(".auth-container input").fill(ADMIN_KEY)
    await page.locator(".auth-btn-wrapper .authorize").click()
    await page.locator(".auth-btn-wrapper .btn-done").click()
    for operation in ("get_cursor", "create_api_key"):
        block = page.locator(f"[id$='{operation}']")
        await block.locator(".opblock-summary-control").click()
        await block.locator(".execute").click()
        await expect(block.locator(".live-responses-table .response .response-col_status")).to_contain_text("20")
    assert [] == await page.evaluate("violations")


async def test_a_policy_that_is_broken_is_noticed(page: Page, console: Console, server: Running) -> None:
    console.expect("Content Security Policy")
    await _read_docs(page, server.url)
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    await page.wait_for_function("violations.length", timeout=PATIENCE_MS)
    assert ["style-src-attr inline"] == await page.evaluate("violations")
