"""When an element asks: its events, conditions and times."""

import asyncio

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.reading import asked_until_now, events, handlers, inner
from api_tests.waiting import SOON_S

A_DAY = "2030-01-01"


async def test_forms_ask_on_submit_fields_on_change_and_the_rest_on_click(page: Page, visit: Visit):
    peer = await visit(
        """<form wx-send=form><input id=in-form><button id=submit>go</button></form> <input id=text wx-send=text>
           <select id=select wx-send=select><option>1<option>2</select> <textarea id=area wx-send=area></textarea>
           <input id=input-button type=button value=x wx-send=input-button> <p id=p wx-send=p>x</p>"""
    )
    for action in ("#submit", "#p", "#input-button", "#text"):
        await page.click(action)
    await page.fill("#text", "a")
    await page.fill("#area", "b")
    await page.focus("#select")
    await page.select_option("#select", "2")
    asked = [(request["handler"], request["trigger"]) for request in await asked_until_now(page, peer)]
    assert [
        ("form", "submit"), ("p", "click"), ("input-button", "click"), ("text", "change"), ("area", "change"), ("select", "change"),
    ] == asked  # fmt: skip


async def test_several_triggers_of_one_element_each_ask(page: Page, visit: Visit):
    peer = await visit("<input id=i wx-send=x wx-trigger='focus, keyup[key==\",\"] , custom:event once'>")
    await page.focus("#i")
    await page.keyboard.press(",")
    for _ in range(2):
        await page.dispatch_event("#i", "custom:event")
    assert ["focus", "keyup", "custom:event"] == [request["trigger"] for request in await asked_until_now(page, peer)]


ENTER, CTRL_ENTER = "Enter", "Control+Enter"
CONDITIONS = {
    "key=='Enter'": {ENTER, CTRL_ENTER},
    'key=="Enter"': {ENTER, CTRL_ENTER},
    "key===Enter": {ENTER, CTRL_ENTER},
    "Enter": {ENTER, CTRL_ENTER},
    "ctrlKey+Enter": {CTRL_ENTER},
    "ctrl + Enter": {CTRL_ENTER},
    "ctrlKey && key=='Enter'": {CTRL_ENTER},
    "!ctrlKey + Enter": {ENTER},
    "!shift + key!='Enter'": {"a", "+", "Space", CTRL_ENTER},  # the last for the Control key itself
    "key=='+'": {"+"},
    "Space": {"Space"},
    "shiftKey+KeyA": {"Shift+A"},
}


async def test_key_conditions_hold_for_their_keys_only(page: Page, visit: Visit):
    keys = [ENTER, CTRL_ENTER, "a", "Shift+A", "+", "Space"]
    fields = "".join(
        f"<input id=f{number} wx-send=f{number} wx-trigger='keydown[{condition.replace(chr(39), '&#39;')}]'>"
        for number, condition in enumerate(CONDITIONS)
    )
    peer = await visit(fields)
    held = {}
    for number, condition in enumerate(CONDITIONS):
        await page.focus(f"#f{number}")
        held[condition] = set()
        for key in keys:
            await page.keyboard.press(key)
            asked = await asked_until_now(page, peer)
            held[condition] |= {key} if asked else set()
    assert CONDITIONS == held


async def test_a_condition_that_is_code_is_refused_and_never_run(page: Page, visit: Visit, console: Console):
    console.expect("wsx: not understood: .*ran")
    peer = await visit("<p id=p wx-send=x wx-trigger='click[(window.ran=true)||true]'>x</p>")
    await page.click("#p")
    assert [] == await handlers(page, peer)
    assert await page.evaluate("window.ran === undefined")
    assert 1 == len(console.errors)


async def test_delay_asks_once_when_it_has_been_quiet_and_with_the_newest_value(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<input id=i name=q wx-send=find wx-trigger='keyup delay:500ms'>")
    await page.clock.pause_at(A_DAY)
    await page.focus("#i")
    for key in "abc":
        await page.keyboard.press(key)
        await page.clock.run_for(400)
    assert [] == await asked_until_now(page, peer)
    await page.clock.run_for(200)
    assert [{"q": "abc"}] == [request["data"] for request in await asked_until_now(page, peer)]


async def test_an_element_that_left_during_its_delay_does_not_ask(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<p id=p wx-send=x wx-trigger='click delay:1s'>x</p>")
    await page.click("#p")
    await page.evaluate("document.querySelector('#p').remove()")
    await page.clock.run_for(2_000)
    assert [] == await handlers(page, peer)


async def test_throttle_asks_at_once_and_then_not_before_its_time(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<p id=p wx-send=x wx-trigger='click throttle:1s'>x</p>")
    await page.clock.pause_at(A_DAY)
    for asked, pause_ms in ((["x"], 0), ([], 0), ([], 999), (["x"], 2), ([], 998)):
        await page.clock.run_for(pause_ms)
        await page.dispatch_event("#p", "click")
        assert asked == await handlers(page, peer)


@pytest.mark.parametrize(("word", "later"), [("first", ["2"]), ("last", ["4"]), ("all", ["2", "3", "4"]), ("none", [])])
async def test_queue_says_what_becomes_of_events_while_a_request_is_under_way(page: Page, visit: Visit, word, later):
    peer = await visit(f"<form wx-send=x wx-trigger='submit queue:{word}'><input id=i name=n></form>")
    for number in "1234":
        await page.fill("#i", number)
        await page.press("#i", "Enter")
    request = await peer.asked()
    assert ["1"] == [request["data"]["n"] for request in peer.requests]
    sent = []
    for _ in range(1 + len(later)):
        sent.append(request["data"]["n"])
        await peer.answer(request, swap="none")
        if len(sent) <= len(later):
            request = await peer.asked()
    assert ["1", *later] == sent
    assert [] == await handlers(page, peer)


async def test_queue_with_a_time_is_a_delay_that_keeps_the_last(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<input id=i name=q wx-send=find wx-swap=none wx-trigger='input queue:500ms'>")
    await page.clock.pause_at(A_DAY)
    for text in ("a", "ab"):
        await page.fill("#i", text)
    await page.clock.run_for(501)
    first = await peer.asked()
    for text in ("abc", "abcd"):
        await page.fill("#i", text)
        await page.clock.run_for(501)
    await peer.answer(first)
    assert ["ab", "abcd"] == [first["data"]["q"], (await peer.asked())["data"]["q"]]
    assert [] == await handlers(page, peer)


async def test_once_asks_once_and_changed_asks_for_new_values_only(page: Page, visit: Visit):
    peer = await visit(
        """<p id=p wx-send=once wx-trigger='click once'>x</p>
           <input id=i wx-send=text wx-trigger='keyup changed'> <input id=c type=checkbox wx-send=box wx-trigger='click changed'>"""
    )
    for _ in range(2):
        await page.click("#p")
    await page.focus("#i")
    for key in ("a", "Shift", "ArrowLeft", "b"):
        await page.keyboard.press(key)
    for _ in range(2):
        await page.click("#c")
    assert ["once", "text", "text", "box", "box"] == await handlers(page, peer)


async def test_elements_that_arrive_by_a_swap_work_also_within_its_event(page: Page, visit: Visit):
    peer = await visit("<div id=box></div>")
    await page.evaluate("document.addEventListener('wsx:afterSwap', () => document.querySelector('#new').click(), {once: true})")
    await peer.update("#box", "<section><p id=new wx-send=fresh>x</p></section>")
    assert "fresh" == (await peer.asked())["handler"]
    await page.click("#new")
    assert ["fresh"] == await handlers(page, peer)


async def test_elements_that_a_script_adds_or_changes_work_with_what_they_say_now(page: Page, visit: Visit):
    peer = await visit("<main></main>")
    await page.evaluate("document.querySelector('main').innerHTML = '<p id=p wx-send=one>x</p>'")
    await page.click("#p")
    await page.evaluate("p.setAttribute('wx-send', 'two'); p.setAttribute('wx-trigger', 'dblclick')")
    await page.click("#p")
    await page.dispatch_event("#p", "dblclick")
    await page.evaluate("p.removeAttribute('wx-send')")
    await page.dispatch_event("#p", "dblclick")
    assert ["one", "two"] == await handlers(page, peer)


async def test_elements_that_left_are_forgotten(page: Page, visit: Visit):
    """Neither listeners nor requests keep them in memory."""
    peer = await visit("<div id=box><p id=p wx-send=x wx-target=#box>x</p></div>")
    await page.evaluate("window.left = new WeakRef(document.querySelector('#p')); left.deref().click()")
    await peer.answer(await peer.asked(), "gone")
    await events(page, "afterSwap")
    await page.evaluate("heard.length = 0")
    session = await page.context.new_cdp_session(page)
    async with asyncio.timeout(SOON_S):
        while await page.evaluate("left.deref() !== undefined"):  # one collection need not find everything
            await session.send("HeapProfiler.collectGarbage")


async def test_forms_and_links_that_ask_do_not_leave_the_page(page: Page, visit: Visit):
    peer = await visit(
        """<form action=/away wx-send=form wx-swap=none><input name=a><button id=go>x</button>
             <button id=own wx-send=own>y</button></form>
           <a id=a href=/away wx-send=link wx-trigger='click throttle:1m'>z</a><a href=/away><b id=b wx-send=inner>z</b></a>"""
    )
    for selector in ("#go", "#own", "#a", "#a", "#b"):
        await page.click(selector)
    assert ["form", "own", "link", "inner"] == await handlers(page, peer)
    assert page.url.endswith("/")


@pytest.mark.parametrize("key", ["Control", "Shift"])
async def test_a_link_clicked_with_a_key_is_the_browsers(page: Page, visit: Visit, key):
    peer = await visit("<a id=a href=/away wx-send=link>z</a>")
    async with page.context.expect_page() as opened:
        await page.click("#a", modifiers=[key])
    assert (await opened.value).url.endswith("/away")
    assert [] == await handlers(page, peer)


async def test_a_checkbox_in_a_form_still_ticks_when_its_click_asks(page: Page, visit: Visit):
    peer = await visit("<form><input id=c name=c type=checkbox wx-send=tick wx-trigger=click></form>")
    await page.click("#c")
    assert {"c": True} == (await peer.asked())["data"]
    assert await page.is_checked("#c")


async def test_focus_that_a_swap_gives_back_does_not_ask_again(page: Page, visit: Visit):
    field = "<input id=i wx-send=help wx-trigger=focus wx-target=#box>"
    peer = await visit(f"<div id=box>{field}</div>")
    await page.focus("#i")
    await peer.answer(await peer.asked(), f"{field}<i>help</i>")
    await events(page, "afterSwap")
    assert [] == await handlers(page, peer)
    assert "i" == await page.evaluate("document.activeElement.id")
    assert (await inner(page, "#box")).endswith("<i>help</i>")


async def test_a_swap_of_ours_is_no_act_of_a_user(page: Page, visit: Visit):
    """Taking a focused field away makes the browser fire blur and change: endless questions, or half-typed text sent."""
    peer = await visit(
        """<div id=box><input id=x wx-send=blurred wx-trigger=blur></div>
           <div id=other><input id=y wx-send=changed></div>"""
    )
    await page.focus("#x")
    await peer.update("#box", "<input id=x wx-send=blurred wx-trigger=blur>")
    await events(page, "afterSwap", 1)
    await page.type("#y", "half")
    await peer.update("#other", "<input id=y wx-send=changed>", "outerHTML")
    await events(page, "afterSwap", 2)
    assert ["blurred"] == await handlers(page, peer)  # by the user, who went from one field to the other


async def test_changed_looks_at_the_field_that_fired(page: Page, visit: Visit):
    peer = await visit(
        """<form wx-send=search wx-trigger="keyup changed"><input id=q name=q><input id=r name=r></form>
           <form wx-send=choice wx-trigger="change changed"><input type=radio id=a name=c value=a>
             <input type=radio id=b name=c value=b></form>"""
    )
    await page.type("#q", "x")
    await page.press("#q", "Shift")
    await page.type("#r", "x")
    for choice in ("#a", "#b", "#a"):
        await page.check(choice)
    assert ["search", "search", "choice", "choice", "choice"] == await handlers(page, peer)


async def test_a_delay_ends_with_the_element_s_wish_to_send(page: Page, visit: Visit):
    peer = await visit(
        "<p id=p wx-send=x wx-trigger='click delay:100ms'>x</p><p id=q wx-send=later wx-trigger='click delay:150ms'>x</p>"
    )
    await page.evaluate("p.click(); p.removeAttribute('wx-send'); q.click()")  # one turn, however slow the machine
    assert "later" == (await peer.asked())["handler"]


async def test_a_clone_gets_its_own_answers(page: Page, visit: Visit):
    peer = await visit("<b wx-send=x>one</b>")
    await page.click("b")
    await peer.asked()
    await page.evaluate("document.body.append(document.querySelector('b').cloneNode(true))")
    await page.locator("b").nth(1).click()
    await peer.answer(await peer.asked(), "mine")
    await events(page, "afterSwap")
    assert ["one", "mine"] == await page.locator("b").all_inner_texts()


async def test_an_image_button_sends_its_form_and_stays(page: Page, visit: Visit):
    peer = await visit(
        """<form action=/away><input name=elements value=e>
             <input type=image id=go wx-send=image alt=go src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></form>"""
    )
    await page.click("#go")
    asked = await peer.asked()
    assert ("image", "e") == (asked["handler"], asked["data"]["elements"])
