"""Pictures of the console and of `/docs`: each page on a desk and a phone, light and dark, in one row."""

import asyncio
import base64
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

from playwright.async_api import Browser, Page, ViewportSize, expect

from api_tests.browser.png import keep
from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, SECRET
from app.auth.tokens import Tokens

PEOPLE: Final = ("Ada", "Grace", "Edsger", "Barbara", "Alan", "Dorothy", "Donald", "Radia", "Ken", "Margaret")
TABS: Final = 3
"""Of each of them."""
SIZES: Final = ((1200, 760), (375, 760))
SCHEMES: Final = ("light", "dark")
HEIGHT: Final = 371
"""Pixels of each picture in the row."""
GAP: Final = 10
ROW: Final = f"""
<style>body {{ display: flex; gap: {GAP}px; margin: 0; padding: {GAP}px; background: #8894ad; }}
img {{ height: {HEIGHT}px; border-radius: 6px; }}</style>
"""
BROADCASTS: Final = 120
"""So that there is something to be seen in the charts: at ten a second, twelve seconds of them."""


async def take_console(browser: Browser, url: str) -> None:
    """All pictures of the console, with people who are there, and things that were done; and one of `/docs`."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(ApiClient(url, ADMIN_KEY))
        people = await _come(stack, url)
        await _work(api)
        page = await browser.new_page(reduced_motion="reduce")
        await page.goto(f"{url}/console")
        await _take(browser, page, "console-sign-in")
        await page.fill("[name=key]", ADMIN_KEY)
        await page.press("[name=key]", "Enter")
        await expect(page.locator("#connection")).to_have_text("live")
        await _say_much(api)
        await _take(browser, page, "console-overview")
        for name in ("connections", "rooms", "announcements", "notifications", "audit", "keys"):
            await page.goto(f"{url}/console/{name}{'?user_id=ada' if name == 'notifications' else ''}")
            await _take(browser, page, f"console-{name}")
        for name, one in (("room", "lobby"), ("connection", people[0].id)):
            await page.goto(f"{url}/console/{name}?id={one}")
            await _take(browser, page, f"console-{name}")
        await page.goto(f"{url}/docs")
        await expect(page.locator("[id$='get_cursor']")).to_be_visible()
        await _take(browser, page, "docs")


async def _come(stack: AsyncExitStack, url: str) -> list[SocketClient]:
    tokens, people = Tokens(SECRET, audience="wsx"), list[SocketClient]()
    for number, name in enumerate(PEOPLE * TABS):
        roles = ("premium",) if number % 3 == 0 else ()
        token = tokens.issue(name.lower(), name=name, roles=roles, ttl=timedelta(hours=1))
        one = await stack.enter_async_context(SocketClient(url.replace("http", "ws"), token=token, max_queue=None))
        await one.ask("join-room", {"roomId": ("lobby", "kitchen")[number % 2]})
        people.append(one)
    return people


async def _work(api: ApiClient) -> None:
    """A morning in the back office."""
    await api.post("/rooms", {"id": "board", "name": "Board", "is_private": True})
    await api.put("/rooms/board/members/ada")
    for title, message, priority in (
        ("Coffee", "Free coffee at the market until noon", "high"),
        ("Maintenance", "Back in five minutes", "medium"),
        ("Stock", "The till in the harbour is being counted", "low"),
    ):
        await api.post("/announcements", {"title": title, "message": message, "priority": priority})
    for order in (1042, 1043, 1051):
        paid: dict[str, Any] = {"type": "success", "title": "New order", "message": f"Order {order} was paid"}
        await api.post("/notifications", {"user_ids": ["ada", "grace"], **paid})
    for name, scope in (("till", "notifications:write"), ("night shift", "connections:read"), ("news desk", "announcements:write")):
        await api.post("/api-keys", {"name": name, "scopes": [scope]})


async def _say_much(api: ApiClient) -> None:
    for number in range(BROADCASTS):
        for _ in range(1 + number // 10 % 4):
            await api.broadcast(f"<p>order {number}</p>", "#orders")
        await asyncio.sleep(0.1)


async def _take(browser: Browser, page: Page, name: str) -> None:
    shots = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            shots.append(base64.b64encode(await page.screenshot()).decode())
    widths = [round(width * HEIGHT / height) for _ in SCHEMES for width, height in SIZES]
    size: ViewportSize = {"width": sum(widths) + GAP * (len(widths) + 1), "height": HEIGHT + 2 * GAP}
    row = await browser.new_page(viewport=size)
    await row.set_content(ROW + "".join(f"<img src='data:image/png;base64,{shot}'>" for shot in shots))
    keep(f"{name}.png", await row.screenshot())
    await row.close()
