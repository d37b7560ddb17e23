"""Pages of clients that know nothing of ours, one of each, beside one of ours."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

from playwright.async_api import Browser, BrowserContext, Page, Route

from api_tests.browser.town import PATIENCE_MS

SHOWN: Final = """
<main>
<p id="status">old</p>
<ul id="list"><li>old</li></ul>
<div id="card">old</div>
<div id="several">old</div>
<div id="gone">old</div>
<table><tbody id="rows"><tr><td>old</td></tr></tbody></table>
<section class="box"><p>old</p></section>
</main>
"""

HEARS: Final = """
new EventSource("/sse").onmessage = ({ data }) => {
  const { updates, oob = [], ...first } = JSON.parse(data);
  for (const { target, html, swap } of updates ?? [first, ...oob]) {
    const element = document.querySelector(target), style = swap.split(" ")[0];
    if (style === "none") continue;
    if (style === "delete") element.remove();
    else if (style === "innerHTML" || style === "outerHTML" || style === "textContent") element[style] = html;
    else element.insertAdjacentHTML(style, html);
  }
};
"""
"""A page with a script of its own and no client at all."""

_SCRIPTS: Final[Mapping[str, str]] = {
    name: "".join(f'<script src="/others/{file}.js"></script>' for file in files.split())
    for name, files in {
        "htmx2-ws": "htmx2 htmx2-ws",
        "htmx2-sse": "htmx2 htmx2-sse",
        "htmx4-ws": "htmx4 htmx4-ws",
        "htmx4-sse": "htmx4 htmx4-sse",
        "turbo-ws": "turbo",
        "turbo-sse": "turbo",
    }.items()
}
PAGES: Final[Mapping[str, str]] = {
    "wsx": '<script src="/wsx.js"></script><body wx-config="/ws">',
    "htmx2-ws": f'{_SCRIPTS["htmx2-ws"]}<body hx-ext="ws" ws-connect="/ws/htmx">',
    "htmx2-sse": f'{_SCRIPTS["htmx2-sse"]}<body hx-ext="sse" sse-connect="/sse?dialect=htmx" sse-close="close">'
    '<i sse-swap="message" hx-swap="none"></i>',
    "htmx4-ws": f'{_SCRIPTS["htmx4-ws"]}<body hx-ws:connect="/ws/htmx" hx-swap="none">',
    "htmx4-sse": f'{_SCRIPTS["htmx4-sse"]}<body><i hx-sse:connect="/sse?dialect=htmx" hx-sse:close="close"></i>',
    "turbo-ws": f'{_SCRIPTS["turbo-ws"]}<body><turbo-stream-source src="ws://HOST/ws/turbo"></turbo-stream-source>',
    "turbo-sse": f'{_SCRIPTS["turbo-sse"]}<body><turbo-stream-source src="/sse?dialect=turbo"></turbo-stream-source>',
    "events": f"<body><script>{HEARS}</script>",
}
COMING_BACK: Final = tuple(name for name in PAGES if name != "turbo-ws")
"""Turbo opens a WebSocket once, and never again."""


class Others:
    """One browser with a page of each client, whose origin is the server's."""

    def __init__(self, context: BrowserContext, url: str, scripts: Mapping[str, str]) -> None:
        self._context = context
        self._url = url
        self._scripts = scripts
        self.pages: dict[str, Page] = {}

    async def open(self, *names: str, extra: str = "") -> Self:
        """Open pages; `extra` is more of their bodies. They are not yet connected."""
        await self._context.route(f"{self._url}/others/*", self._serve)
        await self._context.route(f"{self._url}/docs/*", lambda route: route.abort())
        host = self._url.removeprefix("http://")
        for name in names:
            page = self.pages[name] = await self._context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(f"{self._url}/docs")  # a page that was made up is of no server, and may open no sockets
            await page.set_content(f"<!doctype html>{PAGES[name].replace('HOST', host)}{SHOWN}{extra}</body>")
        return self

    async def _serve(self, route: Route) -> None:
        await route.fulfill(body=self._scripts[route.request.url.rpartition("/")[2]], content_type="text/javascript")

    async def texts(self) -> dict[str, str]:
        """What each shows, in words with one space between them."""
        return {name: await shown(page) for name, page in self.pages.items()}

    async def all_show(self, text: str) -> None:
        """Wait until each shows this."""
        for name, page in self.pages.items():
            try:
                await page.wait_for_function("text => document.querySelector('main').innerText.includes(text)", arg=text)
            except Exception as error:
                error.add_note(f"{name} shows {await shown(page)}")
                raise


async def shown(page: Page) -> str:
    """What it shows."""
    text: str = await page.evaluate("document.querySelector('main').innerText")
    return re.sub(r"\s+", " ", text).strip()


@asynccontextmanager
async def others(
    browser: Browser, url: str, scripts: Mapping[str, str], *, cookies: Mapping[str, str] | None = None
) -> AsyncIterator[Others]:
    """A browser for them, closed behind the block."""
    context = await browser.new_context(bypass_csp=True)
    await context.add_cookies([{"name": name, "value": value, "url": url} for name, value in (cookies or {}).items()])
    try:
        yield Others(context, url, scripts)
    finally:
        await context.close()
