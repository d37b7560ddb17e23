"""The examples of the page guide: where an answer goes, how it gets there, and what a page can do about it."""

import re
from pathlib import Path

from playwright.async_api import Page, expect

from api_tests.browser.conftest import Console, Example
from api_tests.browser.page_guide import answer_next, blocks
from api_tests.browser.reading import events, handlers, inner
from api_tests.browser.scripted import Site
from api_tests.npm import package


def test_each_example_of_the_guide_is_opened_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_guide_*.py"))
    assert sorted(blocks("html")) == sorted(set(re.findall(r'example\("([\w-]+)"\)', tests)))
    assert set() == set(blocks("js")) - set(blocks("html"))


async def test_inherited(page: Page, example: Example) -> None:
    peer = await example("inherited")
    questions = []
    page.on("dialog", lambda dialog: questions.append(dialog.message) or dialog.accept())
    for name in ("Tea", "Cake"):
        await page.click(f"text={name}")
        await answer_next(peer, f"<li>{name}</li>")
    await expect(page.locator("#list li")).to_have_text(["Tea", "Cake"])
    assert ["Add it?"] == questions


async def test_target_words(page: Page, example: Example) -> None:
    peer = await example("target-words")
    await page.click("text=Before")
    await answer_next(peer, "before")
    await page.click("text=After")
    await answer_next(peer, "after")
    await expect(page.locator("output")).to_have_text(["before", "after"])
    await page.click("text=Counted")
    await answer_next(peer, "7")
    await expect(page.locator("p")).to_have_text("Counted: 7")
    await page.click("text=Rename me")
    await answer_next(peer, "Renamed")
    await expect(page.locator("button").last).to_have_text("Renamed")
    await page.click("text=Like")
    assert re.fullmatch(r"\[wx-id=\"\d+\"\]", (await answer_next(peer, "liked"))["target"])
    await expect(page.locator("li")).to_have_text("liked")


async def test_target_several(page: Page, example: Example) -> None:
    peer = await example("target-several")
    await page.click("button")
    (told,) = await events(page, "error")
    assert ("no_target", "BUTTON", "closest section") == (told["code"], told["at"], told["target"])
    assert [] == await handlers(page, peer)


async def test_target_several_found(page: Page, example: Example) -> None:
    peer = await example("target-several-found")
    await page.click("button")
    await answer_next(peer, "all is well")
    for place in ("#header", "button i", ".copy"):
        await expect(page.locator(place)).to_have_text("all is well")


async def test_swap(page: Page, example: Example) -> None:
    peer = await example("swap")
    await page.click("text=More")
    await answer_next(peer, "<li>second</li>")
    await expect(page.locator("#log li")).to_have_text(["first", "second"])
    await page.click("text=Clear")
    await answer_next(peer)
    await expect(page.locator("#log")).to_have_count(0)


async def test_swap_words(page: Page, example: Example) -> None:
    peer = await example("swap-words")
    await page.click("button")
    await answer_next(peer, "new")
    await expect(page.locator("#box")).to_have_text("new")
    assert "wx-settling" == await page.get_attribute("#box", "class")


async def test_swap_show(page: Page, example: Example) -> None:
    await page.set_viewport_size({"width": 300, "height": 80})
    peer = await example("swap-show")
    await page.click("button")
    assert 0 == await page.evaluate("scrollY")
    await answer_next(peer, "<p>here</p>")
    await events(page, "afterSwap")
    shown = await page.evaluate("[document.querySelector('#details').getBoundingClientRect().bottom, innerHeight]")
    assert abs(shown[0] - shown[1]) < 2


async def test_typing(page: Page, example: Example) -> None:
    peer = await example("typing")
    await page.type("#note", "half a sen")
    await page.evaluate("document.querySelector('#note').setSelectionRange(4, 5)")
    await peer.update("#row", "<i>new</i><input id=note>")
    await expect(page.locator("#row i")).to_have_text("new")
    caret = "(({id, value, selectionStart, selectionEnd}) => [id, value, selectionStart, selectionEnd])(document.activeElement)"
    assert ["note", "half a sen", 4, 5] == await page.evaluate(caret)
    await peer.update("#row", "<input id=note value='what the server says'>")
    await expect(page.locator("#note")).to_have_value("what the server says")


async def test_morph(page: Page, example: Example, site: Site) -> None:
    site.files["/idiomorph.js"] = (package("idiomorph") / "dist" / "idiomorph.js").read_text()
    peer = await example("morph")
    await page.evaluate("window.film = document.querySelector('#film')")
    await peer.update("#board", "<video id=film></video> <b>2 viewers</b><p>new</p>", "morph")
    await expect(page.locator("#board p")).to_have_text("new")
    await expect(page.locator("#board b")).to_have_text("2 viewers")
    assert await page.evaluate("film.isConnected")


async def test_ended(page: Page, example: Example, site: Site, console: Console) -> None:
    site.files["/token"] = "a cookie"
    peer = await example("ended")
    await events(page, "connected")
    sign, again = page.locator("#sign"), page.locator("#again")
    await peer.close(4401, "token ended")
    second = await site.peer(2)
    await events(page, "connected", 2)
    await expect(sign).to_have_text("")
    await second.close(4409, "closed by the back office")
    await expect(sign).to_have_text("Closed: closed by the back office")
    assert 2 == site.handshakes
    await again.click()
    third = await site.peer(3)
    await expect(again).to_be_hidden()
    console.expect("WebSocket connection to .* failed")
    site.refuse_with = 401
    third.cut()
    refused = await events(page, "disconnected", 4)
    assert {(1006, True)} == {(told["code"], told["willReconnect"]) for told in refused[2:]}
    await expect(sign).to_have_text("Connection lost, coming back")


async def test_loading(page: Page, example: Example) -> None:
    peer = await example("loading")
    wheel, quick = page.locator("#wheel"), page.locator("text=Quick")
    await expect(wheel).to_be_hidden()
    await page.click("text=Report")
    await expect(wheel).to_be_visible()
    assert "wx-loading" == await wheel.get_attribute("class")
    await answer_next(peer, "all done")
    await expect(wheel).to_be_hidden()
    await quick.click()
    await expect(quick).to_have_class("wx-request busy dim")
    await answer_next(peer, "done")
    await expect(quick).to_have_class("")


async def test_on(page: Page, example: Example) -> None:
    peer = await example("on")
    await page.click("button")
    await expect(page.locator("button")).to_have_text("Hello!")
    await peer.update("#greeting", "Hi")
    await expect(page.locator("#greeting")).to_have_text("Hi!")


async def test_announce(page: Page, example: Example) -> None:
    peer = await example("announce")
    await peer.update("#chat", "<li>Ada: <b>hi</b></li>", "beforeend")
    await peer.update("#clock", "noon")
    await peer.update("#chat", "<li>Bob: hello</li>", "beforeend")
    region = page.locator("[aria-live]")
    await expect(region.locator("p")).to_have_text(["Ada: hi", "Bob: hello"])
    assert "polite" == await region.get_attribute("aria-live")
    assert "inset(50%)" == await region.evaluate("(region) => getComputedStyle(region).clipPath")


async def test_events(page: Page, example: Example) -> None:
    peer = await example("events")
    await page.click("text=Spam")
    await page.click("text=Like")
    assert {"page": "/"} == (await answer_next(peer, "1 like"))["data"]
    await expect(page.locator("#likes b")).to_have_text("1 like")
    assert [] == await handlers(page, peer)


async def test_javascript(page: Page, example: Example) -> None:
    peer = await example("javascript")
    request = await answer_next(peer, "1 like")
    assert ("like", "programmatic", {"by": "script"}) == (request["handler"], request["trigger"], request["data"])
    await expect(page.locator("#likes")).to_have_text("1 like")
    await expect(page.locator("#outcome")).to_have_text("It said 1 like")


async def test_twice(page: Page, example: Example) -> None:
    peer = await example("twice")
    for number, text in ((7, "Hello"), (8, "World")):
        html = f'<div class="message" data-message-id="{number}">{text}</div>'
        await peer.say(id=f"p{number}", target="#chat-messages", html=html, swap="beforeend")
    await expect(page.locator("#chat-messages .message")).to_have_text(["Hello", "World"])


async def test_gap(page: Page, example: Example, site: Site) -> None:
    peer = await example("gap")
    await page.evaluate("Math.random = () => 0")  # the wait
    await peer.say(type="gap", cursor="7", targets=["#elsewhere"])
    await events(page, "gap")
    assert [] == await handlers(page, peer)
    await peer.say(type="gap", cursor="8", targets=["#elsewhere", "#announcements"])
    await site.peer(2)
    assert "<li>" not in await inner(page, "main")
