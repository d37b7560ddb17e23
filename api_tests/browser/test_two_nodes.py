"""A page whose node is stopped while the other one announces: it comes back there, and is not loaded anew."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from api_tests.browser.town import RECORD, Town, is_live
from api_tests.browser.wire import Wire
from api_tests.client import ApiClient
from api_tests.faults.two_nodes import Node, two_nodes
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY
from app.journal.scripts import LIFE, stream_of

DEMO = "--demo"
TEXTS = [f"news {number}" for number in range(20)]
BACK_WITHIN_MS = 40_000
"""The longest pause between two attempts of a page is 30 s."""


@pytest.fixture
async def nodes(tmp_path: Path, postgresql_url: str, redis: RedisServer) -> AsyncIterator[list[Node]]:
    async with two_nodes(tmp_path, postgresql_url, redis.url, arguments=[DEMO], drain_s="4") as both:
        yield both


async def trim(redis: RedisServer) -> None:
    """Nothing of what was published is in Redis any more."""
    epoch = await redis.client.hget(LIFE, "epoch")
    await redis.client.xtrim(stream_of(epoch.decode()), maxlen=0, approximate=False)


def port_of(node: Node) -> int:
    return int(node.url.rpartition(":")[2])


async def moves(page: Page, wire: Wire, old: Node, new: Node, redis: RedisServer, *, is_forgotten: bool) -> None:
    """The page's node is stopped. The other one announces; then, if it is forgotten, nobody knows any more what was published."""
    await old.stop()
    await page.wait_for_function("heard.some((event) => event.name === 'disconnected' && event.code === 1012)")
    wire.cut()
    async with ApiClient(new.url, ADMIN_KEY) as api:
        for text in TEXTS:
            assert 201 == (await api.post("/announcements", {"message": text, "priority": "high"})).status_code
    await trim(redis)
    if is_forgotten:
        await new.kill()
        await new.start(DEMO)
    wire.mend(port_of(new))
    await is_live(page)


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["that knows them still", "that was started since"])
async def test_what_is_announced_meanwhile_is_on_the_page_once_and_in_order_by_a_node(
    browser: Browser, nodes: list[Node], redis: RedisServer, is_forgotten: bool
) -> None:
    """The stream in Redis is trimmed meanwhile. A node that was there has it in memory; another one tells the page of a gap."""
    old, new = nodes
    async with Wire(port_of(old)) as wire, Town(browser, wire.url) as town:
        ada = await town.visit("Ada")
        await ada.evaluate(RECORD)
        await ada.evaluate("window.isTheSamePage = true")
        await moves(ada, wire, old, new, redis, is_forgotten=is_forgotten)
        items = ada.locator("#announcements .announcement p")
        await expect(items).to_have_text(TEXTS[::-1], timeout=BACK_WITHIN_MS)
        assert [not is_forgotten] == await ada.evaluate("hellos")
        assert ([[]] if is_forgotten else []) == await ada.evaluate("gaps")
        assert ([] if is_forgotten else TEXTS) == await ada.evaluate("swaps")
        async with ApiClient(new.url, ADMIN_KEY) as api:
            await api.post("/announcements", {"message": "after", "priority": "high"})
        await expect(items).to_have_text(["after", *reversed(TEXTS)])
        assert await ada.evaluate("window.isTheSamePage")
