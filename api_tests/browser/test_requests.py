"""What a page sends, what it is told about it, and what happens while there is no connection."""

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.reading import asked_until_now, events, handlers, inner
from api_tests.browser.scripted import Peer, Site

OUTCOME = "(promise) => promise.then((answer) => ({answer}), ({message, code}) => ({message, code}))"


async def test_a_request_has_exactly_the_fields_of_the_protocol(page: Page, visit: Visit):
    peer = await visit(
        """<form wx-send=send-message wx-target="#chat" wx-swap="beforeend scroll:bottom"
                 wx-data='{"roomId": 7, "deep": {"a": [1]}}'>
           <input name=message value="a &amp; b"><button id=go>x</button></form>"""
    )
    await page.click("#go")
    assert {
        "id": "req_1",
        "handler": "send-message",
        "target": "#chat",
        "trigger": "submit",
        "data": {"message": "a & b", "roomId": 7, "deep": {"a": [1]}},
        "swap": "beforeend scroll:bottom",
    } == await peer.asked()


FIELDS = """
<form id=f wx-send=x>
  <input name=text value=a> <input name=empty> <input name=off value=b disabled> <input value=nameless>
  <input name=hidden type=hidden value=h> <textarea name=area>t</textarea> <input name=file type=file>
  <input name=alone type=checkbox value=yes checked> <input name=not type=checkbox>
  <input name=box type=checkbox value=1 checked> <input name=box type=checkbox value=2>
  <input name=pick type=radio value=1> <input name=pick type=radio value=2 checked>
  <select name=one><option>1<option selected>2</select> <select name=many multiple><option selected>1<option>2</select>
  <input name=twice value=1> <input name=twice value=2> <input name=constructor value=c> <input name=__proto__ value=p>
  <button id=go name=action value=save>x</button> <button id=other name=action value=drop>x</button>
</form> <input name=outside value=o form=f>
"""


async def test_forms_send_their_fields_and_what_can_be_several_as_lists(page: Page, visit: Visit):
    peer = await visit(FIELDS)
    await page.click("#other")
    assert {
        "text": "a", "empty": "", "hidden": "h", "area": "t", "alone": "yes", "box": ["1"], "pick": "2", "one": "2", "many": ["1"],
        "twice": ["1", "2"], "constructor": "c", "__proto__": "p", "outside": "o", "action": "drop",
    } == (await peer.asked())["data"]  # fmt: skip


async def test_the_data_of_a_form_is_that_of_its_submit_also_when_it_is_sent_by_a_script(page: Page, visit: Visit):
    peer = await visit("<form id=f wx-send=x><input name=a value=1></form>")
    await page.evaluate("f.requestSubmit()")
    await page.evaluate("f.a.value = 2; f.requestSubmit()")
    assert [{"a": "1"}, {"a": "2"}] == [request["data"] for request in await asked_until_now(page, peer)]


async def test_a_lone_field_or_button_sends_its_value_under_its_name(page: Page, visit: Visit):
    peer = await visit(
        """<input id=text name=text wx-send=x> <input id=box name=box type=checkbox wx-send=x> <input wx-send=x id=nameless>
           <select id=many name=many multiple wx-send=x><option>1<option>2</select>
           <form><input name=field value=v><button id=in type=button name=way value=up wx-send=x>x</button></form>
           <button id=out name=way value=down wx-send=x wx-data='{"step": 2}'>x</button>"""
    )
    await page.fill("#text", "a")
    await page.press("#text", "Tab")
    await page.click("#box")
    await page.fill("#nameless", "n")
    await page.press("#nameless", "Tab")
    await page.select_option("#many", ["1", "2"])
    await page.click("#in")
    await page.click("#out")
    assert [
        {"text": "a"}, {"box": True}, {}, {"many": ["1", "2"]}, {"field": "v", "way": "up"}, {"way": "down", "step": 2},
    ] == [request["data"] for request in await asked_until_now(page, peer)]  # fmt: skip


async def test_data_that_is_not_json_is_complained_of_and_left_out(page: Page, visit: Visit, console: Console):
    console.expect("wsx: wx-data is not JSON: {nope")
    peer = await visit("<p id=p wx-send=x wx-data='{nope'>x</p>")
    await page.click("#p")
    assert {} == (await peer.asked())["data"]
    assert 1 == len(console.errors)


@pytest.mark.parametrize("attribute", ["", "wx-target=this"])
async def test_without_a_target_the_element_itself_gets_every_answer(page: Page, visit: Visit, attribute):
    peer = await visit(f"<main><p>a</p><p id=a.b wx-send=x {attribute}>b</p><p class=c wx-send=x {attribute}>c</p></main>")
    for selector, html in (("[id='a.b']", "1"), (".c", "2")):
        await page.click(selector)
        request = await peer.asked()
        await peer.answer(request, html)
        await peer.answer(request, "!", swap="beforeend")
    await events(page, "afterSwap", 4)
    assert ["a", "1!", "2!"] == await page.locator("p").all_inner_texts()


async def test_an_answer_to_this_goes_to_the_element_that_asked(page: Page, visit: Visit):
    peer = await visit("<p>a</p><p class=c wx-send=x wx-target='#elsewhere'>b</p>")
    await page.click(".c")
    await peer.answer(await peer.asked(), "c", target="this")
    await events(page, "afterSwap")
    assert "c" == await inner(page, ".c")


async def test_an_element_is_marked_until_its_last_request_is_answered(page: Page, visit: Visit):
    peer = await visit("<p id=p class=own wx-send=x wx-swap=none>x</p>")
    for _ in range(2):
        await page.click("#p")
    first, second = await peer.asked(), await peer.asked()
    await peer.answer(second)
    await events(page, "afterSwap")
    assert "own wx-request" == await page.get_attribute("#p", "class")
    await peer.answer(first)
    await events(page, "afterSwap", 2)
    assert "own" == await page.get_attribute("#p", "class")


async def test_a_listener_can_cancel_a_request_or_change_it(page: Page, visit: Visit):
    peer = await visit("<p id=no wx-send=no>x</p><p id=yes wx-send=yes>x</p>")
    await page.evaluate(
        """document.addEventListener("wsx:beforeRequest", (event) => {
             if (event.detail.element?.id === "no") event.preventDefault(); else event.detail.request.data.more = 1; })"""
    )
    await page.click("#no")
    assert None is await page.get_attribute("#no", "class")
    await page.click("#yes")
    assert [("yes", {"more": 1})] == [(request["handler"], request["data"]) for request in await asked_until_now(page, peer)]
    assert ["no", "yes"] == [event["at"] for event in (await events(page, "beforeRequest"))[:2]]


async def test_send_resolves_with_the_answer_after_it_was_swapped_in(page: Page, visit: Visit):
    peer = await visit("<div id=box></div>")
    await page.evaluate(
        """() => void (window.outcome = wsx.send("ask", {a: 1}, {target: "#box", swap: "beforeend"})
             .then(({html}) => [html, document.querySelector("#box").innerHTML]))"""
    )
    request = await peer.asked()
    assert ("ask", {"a": 1}, "#box", "", "beforeend") == tuple(
        request[key] for key in ("handler", "data", "target", "trigger", "swap")
    )
    await peer.answer(request, "<b>1</b>", swap="beforeend swap:30ms")
    assert ["<b>1</b>", "<b>1</b>"] == await page.evaluate("outcome")


async def test_send_without_a_target_swaps_nothing_and_resolves(page: Page, visit: Visit):
    peer = await visit("")
    await page.evaluate("() => void (window.outcome = wsx.send('ask'))")
    await peer.answer(await peer.asked(), "1")
    assert "1" == (await page.evaluate("outcome"))["html"]
    assert [] == await page.evaluate("heard.filter(({name}) => name === 'error')")


async def test_an_error_rejects_and_is_told_beside_the_html_that_people_see(page: Page, visit: Visit):
    peer = await visit("<p id=p wx-send=x>x</p>")
    await page.evaluate(f"() => void (window.outcome = ({OUTCOME})(wsx.send('programmed')))")
    await peer.say(type="error", id=(await peer.asked())["id"], code="no_handler", detail="none")
    assert {"message": "none", "code": "no_handler"} == await page.evaluate("outcome")
    await page.click("#p")
    request = await peer.asked()
    await peer.say(type="error", id=request["id"], code="rate_limited", detail="slowly")
    await peer.answer(request, "Too many")
    await events(page, "afterSwap")
    told = await events(page, "error", 2)
    assert [("#document", "no_handler"), ("p", "rate_limited")] == [(event["at"], event["code"]) for event in told]
    assert ("Too many", "") == (await inner(page, "#p"), await page.get_attribute("#p", "class"))


async def test_a_request_without_an_answer_is_given_up_after_30_seconds(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<p id=p wx-send=x>x</p>")
    await page.clock.pause_at("2030-01-01")
    await page.evaluate(f"() => void (window.outcome = ({OUTCOME})(wsx.send('ask')))")
    await page.dispatch_event("#p", "click")
    assert ["ask", "x"] == [(await peer.asked())["handler"], (await peer.asked())["handler"]]
    await page.clock.run_for(29_900)
    assert "wx-request" == await page.get_attribute("#p", "class")
    await page.clock.run_for(200)
    assert "timeout" == (await page.evaluate("outcome"))["code"]
    assert "" == await page.get_attribute("#p", "class")
    assert ["timeout", "timeout"] == [event["code"] for event in await events(page, "error", 2)]


async def test_an_error_for_programs_and_its_html_reach_every_target(page: Page, visit: Visit):
    peer = await visit("<b id=p wx-send=x wx-target='#a, #b'>x</b><p id=b></p><p id=a></p>")
    await page.click("#p")
    request = await peer.asked()
    await peer.say(type="error", id=request["id"], code="refused", detail="no")
    await peer.answer(request, "No.")
    await events(page, "afterSwap", 2)
    assert ["No.", "No."] == await page.locator("p").all_inner_texts()


async def test_a_request_on_its_way_is_rejected_when_the_connection_closes_and_not_sent_twice(page: Page, visit: Visit, site: Site):
    peer = await visit("<p id=p wx-send=x>x</p>")
    await page.evaluate(f"() => void (window.outcome = ({OUTCOME})(wsx.send('ask')))")
    await peer.asked()
    peer.cut()
    assert "closed" == (await page.evaluate("outcome"))["code"]
    assert [] == await handlers(page, await site.peer(2))


async def go_away(page: Page, peer: Peer, site: Site, console: Console) -> None:
    """The connection is lost, and the page tries in vain to come back."""
    console.expect("WebSocket connection to .* failed")
    site.refuse_with = 503
    peer.cut()
    await events(page, "disconnected")


async def test_requests_made_while_away_are_sent_in_order_on_connect(page: Page, visit: Visit, site: Site, console: Console):
    peer = await visit("<p id=p wx-send=clicked>x</p>")
    await go_away(page, peer, site, console)
    await page.click("#p")
    await page.evaluate("() => void wsx.send('programmed')")
    site.refuse_with = None
    assert "wx-request" == await page.get_attribute("#p", "class")
    assert ["clicked", "programmed"] == await handlers(page, await site.peer(2))


async def test_what_a_page_says_in_connected_goes_before_what_waited(page: Page, visit: Visit, site: Site, console: Console):
    """So that a page can sign in again before its requests are judged."""
    peer = await visit("")
    await page.evaluate("document.addEventListener('wsx:connected', () => wsx.send('authenticate', {token: 't'}))")
    await go_away(page, peer, site, console)
    await page.evaluate("() => void wsx.send('waited')")
    site.refuse_with = None
    assert ["authenticate", "waited"] == await handlers(page, await site.peer(2))


async def test_of_more_than_100_waiting_requests_the_oldest_is_refused(page: Page, visit: Visit, site: Site, console: Console):
    peer = await visit("")
    await go_away(page, peer, site, console)
    await page.evaluate("() => { for (let n = 1; n <= 102; n++) wsx.send(`n${n}`); }")
    told = await events(page, "error", 2)
    assert [("queue_full", "req_1"), ("queue_full", "req_2")] == [(event["code"], event["id"]) for event in told]
    site.refuse_with = None
    second = await site.peer(2)
    assert [f"n{number}" for number in range(3, 103)] == [(await second.asked())["handler"] for _ in range(100)]


async def test_a_request_after_the_page_went_away_for_good_is_refused_at_once(page: Page, visit: Visit):
    peer = await visit("<p id=p wx-send=clicked>x</p>")
    await peer.close(4403)
    await events(page, "disconnected")
    await page.click("#p")
    (told,) = await events(page, "error")
    assert ("closed", "p", "") == (told["code"], told["at"], await page.get_attribute("#p", "class"))
    await page.evaluate("wsx.connect()")
    await events(page, "connected", 2)


@pytest.mark.parametrize("end", ["close", "disconnect"])
async def test_what_waits_is_refused_when_the_page_will_not_come_back_by_itself(page: Page, visit: Visit, site: Site, console, end):
    console.expect("WebSocket connection to .* failed")
    peer = await visit("")
    site.refuse_with = 503
    peer.cut()
    await events(page, "disconnected")
    await page.evaluate(f"() => void (window.outcome = ({OUTCOME})(wsx.send('ask')))")
    if end == "disconnect":
        await page.evaluate("wsx.disconnect()")
    else:
        site.refuse_with, site.close_with = None, 4403
    assert "closed" == (await page.evaluate("outcome"))["code"]
