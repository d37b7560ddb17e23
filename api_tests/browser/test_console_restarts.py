"""A page of the console while its server stops and another starts at the same address."""

import msgspec
from playwright.async_api import Page, expect

from api_tests.browser.conftest import Console
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from app.settings import Settings


async def _open(page: Page, server: Running, key: str) -> None:
    """The list of rooms, kept up to date."""
    await page.goto(f"{server.url}/console")
    await page.fill("[name=key]", key)
    await page.press("[name=key]", "Enter")
    await page.click("nav >> text=Rooms")
    await expect(page.locator("#connection")).to_have_text("live")


async def test_a_page_that_is_open_while_the_server_restarts_comes_back(page: Page, console: Console, settings: Settings):
    console.expect("ERR_|WebSocket")
    async with run_server(settings) as server:
        await _open(page, server, ADMIN_KEY)
    await expect(page.locator("#connection")).to_have_text("not live")
    async with run_server(msgspec.structs.replace(settings, port=server.port)), ApiClient(server.url, ADMIN_KEY) as api:
        await expect(page.locator("#connection")).to_have_text("live")
        await api.post("/rooms", {"id": "lobby"})
        await expect(page.locator("tbody")).to_contain_text("lobby")
        await page.goto("about:blank")


async def test_a_page_whose_key_was_revoked_while_the_server_was_away_is_left(page: Page, console: Console, settings: Settings):
    console.expect("ERR_|WebSocket")
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        key = await api.key_with("rooms:read")
        await _open(page, server, key)
    async with run_server(settings) as elsewhere, ApiClient(elsewhere.url, ADMIN_KEY) as api:
        await api.delete(f"/api-keys/{key.split('_')[1]}")
    async with run_server(msgspec.structs.replace(settings, port=server.port)):
        await expect(page.locator("[name=key]")).to_be_visible()
        await page.goto("about:blank")
