"""htmx 2 and 4, Turbo and a plain `EventSource`, as npm has them, beside our own client: one publication, the same page."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from api_tests.browser.others import COMING_BACK, PAGES, others
from api_tests.browser.process import Process
from api_tests.client import ApiClient
from api_tests.npm import scripts as fetched
from api_tests.proxy import proxy_to
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually_told
from app.hub.close import Close
from app.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "htmx-and-turbo.md"
EVERYONE = {"kind": "everyone"}
PUBLISHED = [
    {"target": "#status", "html": "<b>status</b>"},
    {"target": "#status", "html": ' <i title="</template><">titled</i><!-- </template> -->', "swap": "beforeend"},
    {"target": "#status", "html": " open<template>", "swap": "beforeend"},
    {"target": "#status", "html": '</template></wsx-part></hx-partial> stray <i data-it="it\'s"></i>', "swap": "beforeend"},
    {"target": '[data-it="it\'s"]', "html": "<table><div>moved</div></table>", "swap": "outerHTML"},
    {"target": "#list", "html": "<li>first</li>", "swap": "afterbegin"},
    {"target": "#list", "html": "<li>last</li> <li>of all</li>", "swap": "beforeend scroll:bottom"},
    {"target": "#card", "html": "<p>before</p>", "swap": "beforebegin"},
    {"target": "#card", "html": "<p>behind</p>", "swap": "afterend"},
    {"target": "#card", "html": '<div id="card">a card</div>', "swap": "outerHTML settle:100ms"},
    {"target": "#several", "html": 'one <p id="several">two</p><p>three</p>', "swap": "outerHTML"},
    {"target": "#several", "html": "TWO"},
    {"target": "#gone", "swap": "delete"},
    {"target": "#rows", "html": "<tr><td>cell</td></tr>", "swap": "beforeend"},
    {"target": "#rows tr:first-child td", "html": "first cell", "swap": "innerHTML"},
    {"target": ".box > p:first-of-type", "html": "<b>text & such</b>", "swap": "textContent"},
    {"target": "#status", "swap": "none", "oob": [{"target": "#list > li:last-child", "html": "<ins>at last</ins>"}]},
]
FINAL = (
    "status titled open stray moved first old last at last before a card behind one TWO three first cell cell <b>text & such</b>"
)


HANDLER = "rate-limited-update"
NAMED = '<input type="hidden" name="wx-send" value="rate-limited-update">'
VALUES = """hx-vals='{"wx-send": "rate-limited-update", "wx-target": "#status", "wx-swap": "beforeend"}'"""
FORMS = {
    "htmx2-ws": (
        f'<form id="f" ws-send hx-target="#status">{NAMED}<button id="go"></button></form>',
        f'<button id="go" name="{HANDLER}" ws-send hx-target="#status"></button>',
        f'<button id="go" ws-send {VALUES}></button>',
    ),
    "htmx4-ws": (
        f'<form id="f" hx-ws:send hx-target="#status">{NAMED}<button id="go"></button></form>',
        f'<form id="{HANDLER}" hx-ws:send hx-target="#status"><button id="go"></button></form>',
        f'<button id="go" hx-ws:send {VALUES}></button>',
    ),
}
"""Ways to say which handler is meant, and where its answer goes."""


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(settings) as running:
        yield running


@pytest.fixture(scope="session")
def scripts() -> Mapping[str, str]:
    return fetched()


async def test_all_clients_show_the_same_at_once(
    browser: Browser, server: Running, api: ApiClient, scripts: Mapping[str, str]
) -> None:
    async with others(browser, server.url, scripts) as there:
        await there.open(*PAGES)
        await server.connected(len(PAGES))
        for update in PUBLISHED:
            await api.post("/broadcasts", {"audience": EVERYONE, **update})
        await api.post(
            "/broadcasts/batch",
            {
                "updates": [
                    {"audience": EVERYONE, "target": ".box", "html": "<ul id='new'></ul>", "swap": "beforeend"},
                    {"audience": EVERYONE, "target": "#new", "html": "<li>into what has just come</li>", "swap": "beforeend"},
                ]
            },
        )
        await there.all_show("into what has just come")
        assert dict.fromkeys(PAGES, f"{FINAL} into what has just come") == await there.texts()


async def test_all_that_can_come_back_by_themselves_are_back_after_a_restart(
    browser: Browser, scripts: Mapping[str, str], tmp_path: Path
) -> None:
    async with Process(tmp_path) as process, others(browser, process.url, scripts) as there:
        async with ApiClient(process.url, ADMIN_KEY) as api:
            await there.open(*COMING_BACK)

            async def are_there() -> bool:
                return (await api.get("/connections/count")).json()["connections"] == len(COMING_BACK)

            await eventually_told(are_there)
            await api.post("/broadcasts", {"audience": EVERYONE, "target": "#list", "html": "<li>before</li>", "swap": "beforeend"})
            await there.all_show("before")
        await process.stop()
        await process.start()
        async with ApiClient(process.url, ADMIN_KEY) as api:
            await eventually_told(are_there)
            await api.post("/broadcasts", {"audience": EVERYONE, "target": "#list", "html": "<li>after</li>", "swap": "beforeend"})
            await there.all_show("after")
        assert {text.replace("before", "").count("after") for text in (await there.texts()).values()} == {1}
        assert 1 == len(set((await there.texts()).values()))


async def test_forms_of_htmx_reach_their_handlers(browser: Browser, server: Running, scripts: Mapping[str, str]) -> None:
    async with others(browser, server.url, scripts, cookies={"wsx_token": server.token("ada")}) as there:
        for client, form in ((client, form) for client, forms in FORMS.items() for form in forms):
            await there.open(client, extra=form)
            await server.connected(1)
            page = there.pages[client]
            await page.click("#go")
            await expect(page.locator("#status")).to_contain_text("Update queued for broadcast")
            assert ("wx-swap" in form) == ("old" in await page.locator("#status").inner_text())
            await page.close()
            await server.connected(0)


async def test_a_form_of_htmx_that_is_refused_says_why(browser: Browser, server: Running, scripts: Mapping[str, str]) -> None:
    async with others(browser, server.url, scripts) as there:
        for client, forms in FORMS.items():
            await there.open(client, extra=forms[0])
            await server.connected(len(there.pages))
            await there.pages[client].click("#go")
            await there.all_show("Please log in")
            assert 1 == await there.pages[client].locator("#go").count()


async def test_a_stream_that_is_cut_within_a_publication_shows_each_part_once(
    browser: Browser, server: Running, api: ApiClient, scripts: Mapping[str, str]
) -> None:
    clients = "htmx2-sse", "htmx4-sse", "turbo-sse"
    parts = [{"target": "#list", "html": f"<li>{word}</li>", "swap": "beforeend"} for word in ("one", "two", "three")]
    async with proxy_to(server.port) as proxy, others(browser, f"http://127.0.0.1:{proxy.port}", scripts) as there:
        await there.open(*clients)
        await server.connected(len(clients))
        proxy.cut_behind(b"two", times=len(clients))
        updates = [{"audience": EVERYONE, **part} for part in parts]
        await api.post("/broadcasts/batch", {"updates": updates})
        await there.all_show("three")
        assert 0 == proxy.cuts_left
        for page in there.pages.values():
            assert ["old", "one", "two", "three"] == await page.locator("#list li").all_inner_texts()


async def test_a_socket_of_turbo_is_opened_again_by_the_script_of_the_docs(
    browser: Browser, server: Running, api: ApiClient, scripts: Mapping[str, str]
) -> None:
    (script,) = re.findall(r"<script>\n.*?</script>", DOCS.read_text(), re.DOTALL)
    async with others(browser, server.url, scripts) as there:
        await there.open("turbo-ws", extra=f"<script>Math.random = () => 0</script>{script}")
        for _ in range(2):
            await server.connected(1)
            (connection,) = server.hub.registry
            connection.close(Close.SLOW)
            await server.connected(0)
        await server.connected(1)
        await api.post("/broadcasts", {"audience": EVERYONE, "target": "#status", "html": "back"})
        await there.all_show("back")
        page = there.pages["turbo-ws"]
        await page.evaluate(
            "source = document.querySelector('turbo-stream-source'), waits = [], setTimeout = (_, ms) => waits.push(ms)"
        )
        (connection,) = server.hub.registry
        connection.close()
        await page.wait_for_function("source.streamSource.readyState === WebSocket.CLOSED")
        assert 1_000 not in await page.evaluate("waits")  # as the script waits before it opens one


@pytest.mark.parametrize(("client", "told"), [("htmx2-sse", "htmx:sseClose"), ("htmx4-sse", "htmx:sse:close")])
async def test_a_stream_that_is_to_stay_away_is_closed_by_htmx(
    browser: Browser, server: Running, scripts: Mapping[str, str], client: str, told: str
) -> None:
    async with others(browser, server.url, scripts) as there:
        await there.open(client)
        await server.connected(1)
        page = there.pages[client]
        await page.evaluate("name => document.addEventListener(name, ({ detail }) => ended = detail.type ?? detail.reason)", told)
        (connection,) = server.hub.registry
        connection.close()
        await page.wait_for_function("globalThis.ended === 'message'")
