"""htmx 2 and 4, Turbo and a plain `EventSource`, as npm has them, beside our own client: one publication, the same page."""

from collections.abc import Mapping

import pytest
from playwright.async_api import Browser

from api_tests.browser.others import PAGES, others
from api_tests.client import ApiClient
from api_tests.npm import scripts as fetched
from api_tests.server import Running

EVERYONE = {"kind": "everyone"}
PUBLISHED = [
    {"target": "#status", "html": "<b>status</b>"},
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
FINAL = "status first old last at last before a card behind one TWO three first cell cell <b>text & such</b>"


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
