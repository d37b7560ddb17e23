"""Ways to say who one is that are no cookie, for pages of another site: a first message, and a ticket."""

import msgspec
from playwright.async_api import Page, expect

from api_tests.browser.scripted import Site
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually
from app.settings import Settings


async def show(page: Page, site: Site, script: str) -> None:
    """A page of the site, with the client and this script of its own."""
    site.html = f"<!doctype html><body><p id='status'></p><script src='/wsx.js'></script><script>{script}</script></body>"
    await page.goto(site.url)


async def ada_hears(page: Page, server: Running, api: ApiClient, word: str) -> None:
    await eventually(lambda: ["ada"] == [one.user.id for one in server.hub.registry if one.user is not None])
    await api.broadcast(word, audience={"kind": "users", "ids": ["ada"]})
    await expect(page.locator("#status")).to_have_text(word)


async def test_a_page_says_who_it_is_first_and_again_whenever_it_is_back(page: Page, site: Site, settings: Settings):
    closed = msgspec.structs.replace(settings, allow_anonymous=False, allowed_origins=(site.url.rstrip("/"),))
    async with run_server(closed) as server, ApiClient(server.url, ADMIN_KEY) as api:
        script = f"""
            document.addEventListener("wsx:connected", () => wsx.send("authenticate", {{token: "{server.token("ada")}"}}));
            window.wsx = new WSX({{url: "{server.url}/ws"}});
        """
        await show(page, site, script)
        await ada_hears(page, server, api, "first")
        await page.evaluate("wsx.reconnect()")
        await ada_hears(page, server, api, "again")
        await page.goto("about:blank")


async def test_a_ticket_lets_a_page_in(page: Page, site: Site, settings: Settings):
    listed = msgspec.structs.replace(settings, allowed_origins=(site.url.rstrip("/"),))
    async with run_server(listed) as server, ApiClient(server.url, ADMIN_KEY) as api:
        ticket = (await api.post("/tickets", {"user_id": "ada"})).json()["ticket"]
        await show(page, site, f"window.wsx = new WSX({{url: '{server.url}/ws?ticket={ticket}'}});")
        await ada_hears(page, server, api, "for ada")
        await page.goto("about:blank")
