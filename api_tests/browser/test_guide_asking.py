"""The examples of the page guide: when an element asks, and what it sends."""

import pytest
from playwright.async_api import Dialog, Page, expect

from api_tests.browser.conftest import Example
from api_tests.browser.page_guide import answer_next
from api_tests.browser.reading import asked_until_now, events, handlers
from api_tests.browser.scripted import Peer


async def test_start(page: Page, example: Example) -> None:
    peer = await example("start")
    await page.click("button")
    assert "hello" == (await answer_next(peer, "Hello!"))["handler"]
    await expect(page.locator("#answer")).to_have_text("Hello!")
    await peer.update("#answer", "and to all")
    await expect(page.locator("#answer")).to_have_text("and to all")


async def test_asking(page: Page, example: Example) -> None:
    peer = await example("asking")
    await page.click("button")
    await page.select_option("select", "cake")
    await page.click("a")
    asked = [(request["handler"], request["data"]) for request in await asked_until_now(page, peer)]
    assert [("send-message", {"message": "Hi"}), ("join-room", {"room": "cake"}), ("like", {})] == asked
    assert page.url.endswith("/")


async def test_trigger_several(page: Page, example: Example) -> None:
    peer = await example("trigger-several")
    await page.type("input", "tea")
    assert ("keyup", {"q": "tea"}) == await _asked(peer)
    await page.evaluate("document.dispatchEvent(new CustomEvent('search:now'))")
    assert ("search:now", {"q": "tea"}) == await _asked(peer)


async def _asked(peer: Peer) -> tuple[str, dict[str, str]]:
    request = await peer.asked()
    return request["trigger"], request["data"]


async def test_trigger_conditions(page: Page, example: Example) -> None:
    peer = await example("trigger-conditions")
    for key in ("Enter", "Control+a", "Control+Enter"):
        await page.press("textarea", key)
    await page.type("input", "tea")
    assert ["send", "search"] == await handlers(page, peer)


async def test_trigger_from(page: Page, example: Example) -> None:
    peer = await example("trigger-from")
    await page.fill("input", "5")
    await page.press("input", "Tab")
    assert {"max": "5"} == (await answer_next(peer, "cheap products"))["data"]
    await expect(page.locator("div")).to_have_text("cheap products")


async def test_trigger_target(page: Page, example: Example) -> None:
    peer = await example("trigger-target")
    await page.click("text=no row")
    await page.click("text=a row")
    assert ["open"] == await handlers(page, peer)


async def test_trigger_consume(page: Page, example: Example) -> None:
    peer = await example("trigger-consume")
    await page.click("button")
    await page.click("text=a card with")
    assert ["remove", "card"] == await handlers(page, peer)


async def test_trigger_times(page: Page, example: Example) -> None:
    peer = await example("trigger-times")
    for _ in range(2):
        await page.click("text=Once")
        await page.click("text=Seldom")
    assert ["once", "seldom"] == await handlers(page, peer)
    await page.evaluate("document.querySelector('input').value = '1'")
    await page.dispatch_event("input", "input")
    first = await peer.asked()
    await page.evaluate(
        """async () => {
             const input = document.querySelector("input");
             for (const value of ["2", "3"]) {
               input.value = value;
               input.dispatchEvent(new Event("input"));
               await new Promise((resolve) => setTimeout(resolve, 60));
             }
           }"""
    )
    await peer.answer(first, "")
    assert ["1", "3"] == [first["data"]["n"], (await peer.asked())["data"]["n"]]


async def test_trigger_queue(page: Page, example: Example) -> None:
    peer = await example("trigger-queue")
    for _ in range(3):
        await page.click("button")
    for number in range(3):
        request = await peer.asked()
        assert number + 1 == len(peer.requests)
        await peer.answer(request, f"step {number} ")
    await expect(page.locator("#steps")).to_have_text("step 0 step 1 step 2")


async def test_trigger_load(page: Page, example: Example) -> None:
    peer = await example("trigger-load")
    assert "load" == (await answer_next(peer, "rain"))["trigger"]
    await expect(page.locator("div")).to_have_text("rain")


async def test_trigger_intersect(page: Page, example: Example) -> None:
    await page.set_viewport_size({"width": 400, "height": 300})
    peer = await example("trigger-intersect")
    assert "intersect" == (await answer_next(peer, "the next page"))["trigger"]
    await expect(page.locator("div")).to_have_text("the next page")
    assert [] == await handlers(page, peer)


async def test_trigger_interval(page: Page, example: Example) -> None:
    peer = await example("trigger-interval")
    for number in range(3):
        assert "interval" == (await answer_next(peer, f"{number} o'clock"))["trigger"]
        await expect(page.locator("div")).to_have_text(f"{number} o'clock")


async def test_data(page: Page, example: Example) -> None:
    peer = await example("data")
    await page.click("button")
    assert {
        "what": "tea", "extras": ["milk", "sugar"], "days": ["mon"], "action": "buy", "orderId": "7", "gift": True,
    } == (await peer.asked())["data"]  # fmt: skip


async def test_include(page: Page, example: Example) -> None:
    peer = await example("include")
    await page.click("button")
    assert {"q": "tea", "max": "5"} == (await answer_next(peer, "two teas"))["data"]
    await expect(page.locator("#result")).to_have_text("two teas")


async def test_files(page: Page, example: Example) -> None:
    peer = await example("files")
    await page.set_input_files("input", {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG"})
    await page.click("button")
    sent = {"name": "a.png", "type": "image/png", "size": 4, "data": "iVBORw=="}
    assert {"picture": sent} == (await answer_next(peer, "a new picture"))["data"]
    await expect(page.locator("#picture")).to_have_text("a new picture")
    await page.set_input_files("input", {"name": "big.png", "mimeType": "image/png", "buffer": b"x" * 49_200})
    await page.click("button")
    (told,) = await events(page, "error")
    assert ("too_big", "FORM") == (told["code"], told["at"])
    assert [] == await handlers(page, peer)


async def test_validate(page: Page, example: Example) -> None:
    peer = await example("validate")
    for email in ("ada", "ada@example.com"):
        await page.fill("input", email)
        await page.evaluate("document.querySelector('input').blur()")
    assert [{"email": "ada@example.com"}] == [request["data"] for request in await asked_until_now(page, peer)]
    assert ["invalid"] == [event["code"] for event in await events(page, "error")]


@pytest.mark.parametrize(("says_yes", "expected"), [(True, ["delete-all"]), (False, [])])
async def test_confirm(page: Page, example: Example, says_yes: bool, expected: list[str]) -> None:
    questions = []

    async def answer(dialog: Dialog) -> None:
        questions.append(dialog.message)
        await (dialog.accept() if says_yes else dialog.dismiss())

    page.on("dialog", answer)
    peer = await example("confirm")
    await page.click("button")
    assert ["Delete everything?"] == questions
    assert expected == await handlers(page, peer)
