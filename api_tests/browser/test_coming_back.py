"""Pages that come back: what was said meanwhile is on them once, in order, without being loaded anew."""

import pytest
from playwright.async_api import Browser, Page, Route, expect

from api_tests.browser.town import RECORD, Town, is_live, join
from api_tests.browser.wire import Wire
from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.waiting import eventually

FEED = "#live-feed"


async def tell(api: ApiClient, *texts: str) -> None:
    for text in texts:
        await api.broadcast(f"<p class='told'>{text}</p>", FEED, swap="beforeend")


async def was_told(page: Page, *texts: str) -> None:
    await expect(page.locator(f"{FEED} .told")).to_have_text(list(texts))


async def test_all_that_was_sent_while_a_page_was_away_is_on_it_once_and_in_order(
    town: Town, server: Running, api: ApiClient
) -> None:
    ada = await town.visit("Ada")
    await join(ada, "Lobby")
    await tell(api, "before")
    await was_told(ada, "before")
    await ada.evaluate("window.isTheSamePage = true; wsx.disconnect()")
    await eventually(lambda: not server.hub.registry.of_user("ada"))

    texts = [str(number) for number in range(20)]
    await tell(api, *texts)
    for text in texts:
        await api.post("/announcements", {"message": text, "priority": "high"})
    await api.post("/rooms/lobby/messages", {"message": "Is anybody there?"})

    await ada.evaluate("wsx.connect()")
    await is_live(ada)
    await was_told(ada, "before", *texts)
    await expect(ada.locator("#announcements .announcement p")).to_have_text(texts[::-1])
    await expect(ada.locator("#chat-messages .message .content")).to_have_text(["Is anybody there?"])
    assert await ada.evaluate("window.isTheSamePage")
    await tell(api, "after")
    await was_told(ada, "before", *texts, "after")


async def test_nothing_is_missing_between_the_rendering_of_a_page_and_its_socket(town: Town, api: ApiClient) -> None:
    ada = await town.visit("Ada")

    async def be_late(route: Route) -> None:
        await tell(api, "while the page was loading")
        await api.post("/notifications", {"user_ids": ["ada"], "title": "Psst"})
        await route.continue_()

    await ada.route("**/wsx.js", be_late)
    await ada.reload()
    await is_live(ada)
    await was_told(ada, "while the page was loading")
    await tell(api, "after")
    await was_told(ada, "while the page was loading", "after")
    await expect(ada.locator(".notification .title")).to_have_text(["Psst"])


@pytest.mark.parametrize("unnoticed", [False, True])
async def test_a_page_that_lost_its_socket_shows_all_that_was_announced_meanwhile(
    browser: Browser, server: Running, api: ApiClient, unnoticed: bool
) -> None:
    async with Wire(server.port) as wire, Town(browser, wire.url) as town:
        ada = await town.visit("Ada")
        await ada.evaluate(RECORD)
        (lost,) = server.hub.registry.of_user("ada")
        wire.cut(unnoticed=unnoticed)
        await expect(ada.locator("#connection")).to_have_text("connection lost, coming back")
        await eventually(lambda: unnoticed != lost.outbox.closed)

        texts = [f"news {number}" for number in range(20)]
        for text in texts:
            await api.post("/announcements", {"message": text, "priority": "high"})
        wire.mend()
        await is_live(ada)
        await expect(ada.locator("#announcements .announcement p")).to_have_text(texts[::-1])
        assert (texts, [True]) == (await ada.evaluate("swaps"), await ada.evaluate("hellos"))
        await api.post("/announcements", {"message": "after", "priority": "high"})
        await expect(ada.locator("#announcements .announcement p")).to_have_text(["after", *reversed(texts)])
        assert [*texts, "after"] == await ada.evaluate("swaps")
        (back,) = server.hub.registry.of_user("ada")
        assert back is not lost


async def test_a_page_on_a_connection_that_fell_silent_comes_back_and_shows_what_it_missed(
    browser: Browser, server: Running, api: ApiClient
) -> None:
    async with Wire(server.port) as wire, Town(browser, wire.url) as town:
        ada = await town.visit("Ada")
        await ada.evaluate("window.isTheSamePage = true")
        await ada.clock.install()
        wire.fall_silent()
        await tell(api, "into the void")
        await ada.evaluate("dispatchEvent(new Event('online'))")
        await ada.clock.run_for(11_000)
        await was_told(ada, "into the void")
        await is_live(ada)
        await tell(api, "after")
        await was_told(ada, "into the void", "after")
        assert await ada.evaluate("window.isTheSamePage")
