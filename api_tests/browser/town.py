"""The demo page and the people who visit it, each with a browser of their own."""

import re
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, Page, expect

from api_tests.client import ApiClient
from api_tests.server import Running
from app.hub.close import Close

PATIENCE_MS = 30_000
"""What a browser does takes longer on a busy machine with several of them."""
XSS = "<img src=x onerror=alert(1)>"

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
window.heard = [];
for (const name of ["connected", "disconnected", "error"]) {
  document.addEventListener(`wsx:${name}`, ({ detail: { code, target } }) => heard.push({ name, code, target }));
}
"""
"""Keeps what the page's policy forbade, and in `heard` the connection's life and what went wrong."""

RECORD = """
window.swaps = [];
window.hellos = [];
window.gaps = [];
document.addEventListener("wsx:hello", ({ detail }) => hellos.push(detail.resumed));
document.addEventListener("wsx:gap", ({ detail }) => gaps.push(detail.targets));
document.addEventListener("wsx:afterSwap", ({ detail: { target, html, swap } }) => {
  const shown = new DOMParser().parseFromString(html, "text/html").querySelectorAll(".announcement p");
  if (target === "#announcements" && swap === "afterbegin") swaps.push(...[...shown].map((line) => line.textContent));
});
"""
"""Keeps which announcements were put into the list one by one, what each `hello` said of `resumed`, and the targets of gaps."""


class Town:
    """Opens the page for people, and checks when they leave that nothing on it went wrong by itself."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self.url = url
        self._stack = AsyncExitStack()
        self._pages: list[Page] = []
        self._thrown: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        here = [] if kind else [page for page in self._pages if not page.is_closed()]
        forbidden = [await page.evaluate("window.violations") for page in here]
        await self._stack.aclose()
        assert [[] for _ in here] == forbidden
        assert [] == self._thrown

    async def visit(self, name: str = "", role: str = "", **how: Any) -> Page:
        """Somebody on the page, signed in when they have a name, with a live connection."""
        context = await self._stack.enter_async_context(await self._browser.new_context(**how))
        if name:  # what the form of the page sends, without opening the page for it
            answer = await context.request.post(f"{self.url}/demo/sign-in", form={"name": name, "role": role}, max_redirects=0)
            assert HTTPStatus.SEE_OTHER == answer.status
        page = await self._open(context)
        await is_live(page)
        return page

    async def another_tab(self, page: Page) -> Page:
        """A second tab of the same person."""
        tab = await self._open(page.context)
        await is_live(tab)
        return tab

    async def all_are_shown(self, page: Page) -> None:
        """Wait until the page's list of people is that of all who are here: it is drawn anew whenever somebody comes."""
        await expect(page.locator("#who-count")).to_have_text(str(sum(not one.is_closed() for one in self._pages)))

    async def _open(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        self._pages.append(page)
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self._thrown.append(str(error)))
        await page.add_init_script(WATCH)
        await page.goto(self.url)
        return page


async def is_live(page: Page) -> None:
    """Wait until the page is connected, and greeted: what it hears now is no greeting."""
    await expect(page.locator("#connection")).to_have_text("live")
    await page.wait_for_function("() => wsx.connectionId")


async def all_is_quiet(api: ApiClient, *pages: Page) -> None:
    """Wait until the pages have heard all that was said before."""
    await api.broadcast("<p>the end</p>", "#status")
    for page in pages:
        await expect(page.locator("#status p")).to_have_text("the end")
    await api.broadcast("", "#status")
    for page in pages:
        await expect(page.locator("#status")).to_be_empty()


async def lose_connection(server: Running, user_id: str, page: Page) -> None:
    """Cut the user's connections as a restart does, and wait until the page is back."""
    lost = {connection.id for connection in server.hub.registry.of_user(user_id)}
    for connection in tuple(server.hub.registry.of_user(user_id)):
        server.hub.close(connection, Close.RESTARTING)
    await page.wait_for_function("lost => wsx.connectionId && !lost.includes(wsx.connectionId)", arg=list(lost))


async def ask(page: Page, handler: str, data: object, target: str) -> None:
    """Ask a handler for what no form of the page offers."""
    await page.evaluate("([handler, data, target]) => wsx.send(handler, data, { target }).catch(() => {})", [handler, data, target])


async def refused(page: Page, target: str, words: str | re.Pattern[str]) -> None:
    """The page shows a handler's no."""
    await expect(page.locator(f"{target} .error")).to_have_text(words)


async def join(page: Page, room: str) -> None:
    """Come into a room of the page."""
    chip = page.get_by_role("button", name=room, exact=True)
    await chip.click()
    await expect(page.locator("#room-answer")).to_have_text(f"Joined room {room.lower()}")
    await expect(chip).to_have_attribute("aria-pressed", "true")


async def say(page: Page, text: str) -> None:
    """Say something in the room that the page is in."""
    await page.fill("#message-input", text)
    await page.press("#message-input", "Enter")


async def write(page: Page, recipient_id: str, text: str) -> None:
    """Send a private message."""
    await page.fill("[name=recipientId]", recipient_id)
    await page.fill("#private-card [name=message]", text)
    await page.click("#private-card form button")
