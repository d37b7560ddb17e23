"""What the page guide does not show: the corners of swaps, of what is read out, and of what a page is told."""

import pytest
from playwright.async_api import Page, expect

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.page_guide import answer_next
from api_tests.browser.reading import events, inner
from api_tests.browser.scripted import Site
from api_tests.npm import package

TYPED = "<input id=a value=old><textarea id=b></textarea><input id=c type=password><input id=d><input id=f type=file>"


async def test_what_somebody_types_survives_what_others_change_around_it(page: Page, visit: Visit) -> None:
    peer = await visit(f"<section id=row>{TYPED}</section>")
    for field in "abcd":
        await page.fill(f"#{field}", f"typed {field}")
    await page.set_input_files("#f", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x"})
    await peer.update("#row", TYPED.replace("<input id=d>", "<input id=d type=number>") + "<i>1</i>")
    await expect(page.locator("#row i")).to_have_text("1")
    assert ["typed a", "typed b", "typed c", ""] == [await page.input_value(f"#{field}") for field in "abcd"]
    await peer.update("#row", TYPED.replace("value=old", "value=new") + "<i>2</i>", "innerHTML")
    await expect(page.locator("#row i")).to_have_text("2")
    assert ["new", "typed b", "typed c"] == [await page.input_value(f"#{field}") for field in "abc"]


async def test_the_answer_to_a_form_may_empty_it(page: Page, visit: Visit) -> None:
    form = "<input id=text name=text>"
    peer = await visit(f"<form id=f wx-send=say>{form}</form><form id=g wx-send=x>{form.replace('text', 'other')}</form>")
    await page.fill("#text", "hello")
    await page.fill("#other", "half typed")
    await page.press("#text", "Enter")
    await answer_next(peer, form, oob=[{"target": "#g", "html": form.replace("text", "other")}])
    await events(page, "afterSwap", 2)
    assert ("", "half typed") == (await page.input_value("#text"), await page.input_value("#other"))
    await page.fill("#text", "again")
    await peer.update("#text", "<input id=text>", "outerHTML")  # who names the field means it
    await events(page, "afterSwap", 3)
    assert "" == await page.input_value("#text")


async def test_the_answer_to_a_button_may_empty_its_form(page: Page, visit: Visit) -> None:
    form = "<form><input id=text name=text><button wx-send=say wx-target=#box>x</button></form><input id=other>"
    peer = await visit(f"<div id=box>{form}</div>")
    await page.fill("#text", "hello")
    await page.fill("#other", "half typed")
    await page.click("button")
    await answer_next(peer, form)
    await events(page, "afterSwap")
    assert ("", "half typed") == (await page.input_value("#text"), await page.input_value("#other"))


@pytest.mark.parametrize("swap", ["morph", "innerHTML"])
async def test_the_caret_stays_in_half_typed_text(page: Page, visit: Visit, site: Site, swap: str) -> None:
    site.files["/idiomorph.js"] = (package("idiomorph") / "dist" / "idiomorph.js").read_text()
    peer = await visit("<div id=box><input id=note></div>", head="<script src=/idiomorph.js></script>")
    await page.type("#note", "typed text")
    await page.evaluate("document.querySelector('#note').setSelectionRange(3, 3)")
    await peer.update("#box", "<b>new</b><input id=note>", swap)
    await events(page, "afterSwap")
    await page.keyboard.type("XX")
    assert "typXXed text" == await page.input_value("#note")


async def test_a_form_waits_for_its_swap_whatever_its_fields_are_called_and_no_failure_keeps_others(
    page: Page, visit: Visit, console: Console
) -> None:
    console.expect("dispatchEvent is not a function")
    peer = await visit("<form id=f><input name=classList></form><form id=g><input name=dispatchEvent></form><p id=a></p>")
    for target, html in (("#f", "x"), ("#g", "y"), ("#a", "1"), ("#a", "2")):
        await peer.update(target, html, "beforeend swap:10ms settle:1m")
    await expect(page.locator("#a")).to_have_text("12")
    await expect(page.locator("#f")).to_have_text("x")


async def test_morph_without_its_library_replaces(page: Page, visit: Visit) -> None:
    peer = await visit("<div id=box><b>old</b></div>")
    await peer.update("#box", "<i>new</i>", "morph settle:1m")
    (told,) = await events(page, "afterSwap")
    assert ("<i>new</i>", "morph") == (await inner(page, "#box"), told["swap"])


async def test_only_what_arrives_is_read_out_and_no_more_than_nine_lines_are_kept(page: Page, visit: Visit) -> None:
    peer = await visit("<div wx-announce=assertive><p id=log></p><p id=gone>x</p></div><p id=silent></p>")
    await peer.update("#silent", "not this")
    await peer.update("#log", "nor this", "none")
    await peer.update("#log", " <br> ")
    await peer.update("#log", "<b> is no tag", "textContent")
    for number in range(9):
        await peer.update("#log", f"<b>line</b>\n{number}", "beforeend")
    await peer.update("#gone", "", "delete")
    region = page.locator("#wx-live")
    await expect(region.locator("p")).to_have_text([f"line {number}" for number in range(9)])
    assert "assertive" == await region.get_attribute("aria-live")
    assert 1 == await page.locator("[aria-live]").count()


async def test_events_tell_the_message_and_its_part(page: Page, visit: Visit) -> None:
    peer = await visit("<p id=a></p><p id=b></p>")
    await peer.say(id="m1", target="#a", html="1", oob=[{"target": "#b", "html": "2"}])
    await peer.say(id="m2", type="batch", updates=[{"target": "#a", "html": "3"}, {"target": "#b", "html": "4"}])
    told = await events(page, "afterSwap", 4)
    assert [("m1", "1", False), ("m1", "2", True), ("m2", "3", False), ("m2", "4", False)] == [
        (event["message"]["id"], event["update"]["html"], event["isOOB"]) for event in told
    ]
    await peer.say(type="drain", retry_in_ms=5)
    assert [5] == [event["retry_in_ms"] for event in await events(page, "drain")]


async def test_a_hidden_tab_is_live(page: Page, visit: Visit) -> None:
    peer = await visit("<p id=a></p>")
    await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    await peer.update("#a", "1", "innerHTML swap:100s")
    await peer.update("#a", "2", "beforeend")
    await expect(page.locator("#a")).to_have_text("12")
