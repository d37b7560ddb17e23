"""Makes the pictures of the docs, and prints the figures of the demo page: `make pictures`."""

import asyncio
import base64
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from api_tests.browser.conftest import ARGUMENTS, chromium
from api_tests.browser.console_pictures import take_console
from api_tests.browser.figures import figures
from api_tests.browser.png import keep
from api_tests.browser.process import Process
from api_tests.browser.town import is_live, say, write
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY

DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 375, "height": 760}
HALF: Final[ViewportSize] = {"width": 800, "height": 880}
FOLDED: Final = """() => {
  document.activeElement.blur();
  document.querySelector("details.welcome").open = innerWidth > 800;
  (innerWidth < 400 ? document.querySelector("#nearby-card") : document.body).scrollIntoView();
}"""
SIDE_BY_SIDE: Final = """
<style>body { display: flex; gap: 16px; margin: 0; padding: 16px; background: #8894ad; }
img { border-radius: 8px; box-shadow: 0 4px 18px #0006; }</style>
"""


async def come_in(browser: Browser, url: str, name: str, **how: Any) -> Page:
    """One of the demo's people, on the island and in the lobby."""
    context = await browser.new_context(reduced_motion="reduce", **how)
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_role("button", name=f"Come in as {name}").click()
    await is_live(page)
    await expect(page.locator("#room-answer")).to_have_text("Joined room lobby")
    return page


async def live(ada: Page, bob: Page, api: ApiClient) -> None:
    """A morning on the island."""
    await bob.locator("#nearby-card .chip", has_text="Station").click()
    await say(bob, "Good morning! Is the coffee machine working again?")
    await expect(ada.locator("#chat-messages .content")).to_have_count(1)
    await say(ada, "Since nine. I have just made a whole pot.")
    await expect(bob.locator("#chat-messages .content")).to_have_count(2)
    await say(bob, "On my way")
    await write(bob, "ada", "Can you have a look at order 1042?")
    await ada.get_by_role("button", name="Follow Bob", exact=True).click()
    await bob.get_by_role("button", name="Follow Ada", exact=True).click()
    await expect(ada.locator(".notification")).to_have_count(1)
    await api.post("/announcements", {"title": "Coffee", "message": "Free coffee at the market until noon", "priority": "high"})
    paid = {"user_ids": ["ada"], "type": "success", "title": "New order", "message": "Order 1042 was paid"}
    await api.post("/notifications", paid)
    await api.put("/dashboard/figures", {"revenue": 1234.5, "orders": 17})
    for page in (ada, bob):
        await expect(page.locator(".announcement")).to_have_count(1)
    await ada.fill("[name=title]", "Street music")
    await ada.fill("#nearby-card [name=description]", "Two violins and a tuba")
    await ada.select_option("[name=radiusKm]", "4")
    await ada.click("#nearby-card >> text=Tell")
    await expect(bob.locator(".walker")).to_have_count(2)
    await expect(ada.locator("#dashboard-stats")).to_contain_text("Revenue")
    await expect(ada.locator(".local-event")).to_have_count(1)


async def two_windows(browser: Browser, windows: list[Page]) -> bytes:
    """Two windows side by side, as one picture."""
    shots = [base64.b64encode(await page.screenshot()).decode() for page in windows]
    page = await browser.new_page(viewport={"width": 2 * HALF["width"] + 48, "height": HALF["height"] + 32})
    await page.set_content(SIDE_BY_SIDE + "".join(f"<img src='data:image/png;base64,{shot}'>" for shot in shots))
    return await page.screenshot()


async def take(browser: Browser, url: str) -> None:
    """All pictures of the demo."""
    async with ApiClient(url, ADMIN_KEY) as api:
        ada, bob = [await come_in(browser, url, name, viewport=HALF, color_scheme="light") for name in ("Ada", "Bob")]
        await live(ada, bob, api)
        for page in (ada, bob):
            await page.evaluate(FOLDED)
        keep("two-windows.png", await two_windows(browser, [bob, ada]))
        for scheme in ("light", "dark"):
            await ada.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for place, size in (("desk", DESK), ("phone", PHONE)):
                await ada.set_viewport_size(size)
                await ada.evaluate(FOLDED)
                keep(f"demo-{place}-{scheme}.png", await ada.screenshot())


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Process(Path(folder)) as product, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            for name, size in (("desk", DESK), ("phone", PHONE)):
                sys.stdout.write(f"{name} {await figures(browser, product.url, size)}\n")
            await take(browser, product.url)
            await take_console(browser, product.url)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
