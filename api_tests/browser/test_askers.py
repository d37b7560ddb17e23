"""What the page guide does not show: the corners of triggers, of what is sent, and of the time while a request runs."""

import base64
import json

import pytest
from playwright.async_api import Dialog, Page, expect

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.page_guide import answer_next
from api_tests.browser.reading import INTERVALS, asked_until_now, events, handlers
from api_tests.browser.scripted import Peer, Site

REJECTED = "(promise) => promise.then(() => 'resolved', ({message, code}) => code ?? message)"
CONDITIONS = {
    "value=='tea'": ["tea"],
    "value!='tea'": ["coffee", "7", ""],
    "value": ["tea", "coffee", "7"],
    "!value": [""],
    "value.length>=4": ["coffee"],
    "value>6.5": ["7"],
    "value<=7 && value": ["7"],
    "target.name=='drink' + value": ["tea", "coffee", "7"],
    "detail.count<3 && detail.count>=1": ["tea", "coffee"],
}


async def test_conditions_look_at_the_event_and_at_the_field(page: Page, visit: Visit) -> None:
    fields = "".join(f'<input name=drink wx-send="{name}" wx-trigger="taste[{name}]">' for name in CONDITIONS)
    peer = await visit(fields)
    await page.evaluate(
        """() => ["", "tea", "coffee", "7"].forEach((value, count) => {
             for (const field of document.querySelectorAll("input")) {
               field.value = value;
               field.dispatchEvent(new CustomEvent("taste", { detail: { count } }));
             }
           })"""
    )
    held: dict[str, list[str]] = {name: [] for name in CONDITIONS}
    for request in await asked_until_now(page, peer):
        held[request["handler"]].append(request["data"]["drink"])
    assert {name: sorted(values) for name, values in CONDITIONS.items()} == {name: sorted(values) for name, values in held.items()}


async def test_from_hears_whatever_is_there_when_it_happens(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<p wx-send=by-selector wx-trigger="click from:(.late b)"></p> <p wx-send=by-document wx-trigger="ping from:document"></p>
           <p wx-send=by-window wx-trigger="ping from:window"></p> <p wx-send=by-focus wx-trigger="focus from:#field"></p>
           <section><p wx-send=by-closest wx-trigger="ping from:closest section"></p><i>in</i></section>
           <p wx-send=by-next wx-trigger="ping from:next output once"></p><output></output>
           <main></main>"""
    )
    await peer.update("main", "<div class=late><b>x</b></div><input id=field><p id=loaded wx-send=by-load wx-trigger=load></p>")
    assert "by-load" == (await peer.asked())["handler"]
    await page.click("b")
    await page.focus("#field")
    for target in ("document", "window", "document.querySelector('i')", "document.querySelector('output')"):
        await page.evaluate(f"{target}.dispatchEvent(new Event('ping'))")
    assert ["by-selector", "by-focus", "by-document", "by-window", "by-next"] == await handlers(page, peer)
    for _ in range(2):
        await page.evaluate(
            "for (const one of document.querySelectorAll('i, output')) one.dispatchEvent(new Event('ping', {bubbles: true}))"
        )
    bubbled = await handlers(page, peer)
    assert (2, 0) == (bubbled.count("by-closest"), bubbled.count("by-next"))


async def test_who_left_hears_nothing_more_and_who_is_back_hears_again(page: Page, visit: Visit) -> None:
    await page.clock.install()
    await page.add_init_script(INTERVALS)
    peer = await visit(
        """<div id=box><p wx-send=far wx-trigger="click from:#button"></p><p wx-send=tick wx-trigger="interval:5"></p></div>
           <button id=button>x</button>"""
    )
    await peer.asked()
    await page.clock.pause_at("2030-01-01")
    await page.evaluate("window.box = document.querySelector('#box'); box.remove()")
    await handlers(page, peer)
    await page.dispatch_event("#button", "click")
    await page.clock.run_for(1_000)
    assert [] == await handlers(page, peer)
    assert {} == await page.evaluate("intervals")
    await page.evaluate("document.body.append(box)")
    await page.dispatch_event("#button", "click")
    assert "far" in await handlers(page, peer)
    assert [100] == list((await page.evaluate("intervals")).values())


async def test_inherited_this_is_the_bearer_and_an_empty_attribute_ends_inheritance(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<div id=outer wx-target=this wx-swap=beforeend wx-validate wx-include="#extra">
             <input id=extra name=extra value=1><b wx-send=inner>x</b>
             <i wx-send=own wx-target="" wx-swap="" wx-include="" wx-validate=false id=own>x</i>
           </div>"""
    )
    for selector in ("b", "i"):
        await page.click(selector)
    inner, own = await asked_until_now(page, peer)
    assert ("#outer", "beforeend", {"extra": "1"}) == (inner["target"], inner["swap"], inner["data"])
    assert ("#own", "innerHTML", {}) == (own["target"], own["swap"], own["data"])


async def test_fields_are_included_as_their_form_would_send_them(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<form id=f><input name=a value=1><input name=b type=checkbox><input name=elements value=e><my-field name=own></my-field>
             <fieldset disabled><input name=off value=x></fieldset><output name=out>x</output></form>
           <input form=f name=outside value=o>
           <div><input type=radio name=r value=1><input type=radio name=r value=2 checked>
             <select name=s multiple><option selected>1<option>2</select><select name=t multiple><option>1</select>
             <p id=p wx-send=x wx-include="#f, closest div">x</p></div>
           <script>
             customElements.define("my-field", class extends HTMLElement {
               static formAssociated = true;
               constructor() { super(); this.attachInternals().setFormValue("mine"); this.name = "own"; }
             });
           </script>"""
    )
    await page.click("#p")
    expected = {"a": "1", "elements": "e", "own": "mine", "outside": "o", "r": "2", "s": ["1"]}
    assert expected == (await peer.asked())["data"]


async def test_files_travel_alone_in_lists_and_from_scripts(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<form wx-send=form><input id=many type=file name=many multiple><input type=file name=none><button id=go>x</button></form>
           <input id=alone type=file name=alone wx-send=alone>"""
    )
    files = [{"name": f"{text}.txt", "mimeType": "text/plain", "buffer": text.encode()} for text in ("a", "")]
    sent = [
        {"name": f"{text}.txt", "type": "text/plain", "size": len(text), "data": base64.b64encode(text.encode()).decode()}
        for text in ("a", "")
    ]
    await page.set_input_files("#many", files)
    await page.click("#go")
    assert {"many": sent} == (await peer.asked())["data"]
    await page.set_input_files("#alone", files[0])
    assert {"alone": sent[0]} == (await peer.asked())["data"]
    await page.evaluate("() => void wsx.send('script', {deep: [{file: new File(['a'], 'a.txt', {type: 'text/plain'})}]})")
    assert {"deep": [{"file": sent[0]}]} == (await peer.asked())["data"]


async def test_a_message_of_the_limit_is_sent_and_one_of_a_byte_more_is_not(page: Page, visit: Visit) -> None:
    peer = await visit("", config='{"maxMessageBytes": 300}')
    length = 'wsx.send("x", {f: new File([new Uint8Array(SIZE)], "f"), t: "é".repeat(2)})'
    request = {"id": "req_1", "handler": "x", "target": "", "trigger": "", "data": {}, "swap": "innerHTML"}
    request["data"] = {"f": {"name": "f", "type": "", "size": 120, "data": ""}, "t": "éé"}
    envelope = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
    room = 300 - len(envelope.encode())
    assert 0 == room % 4, "the file fills it to the last byte"
    size = room // 4 * 3
    assert "too_big" == await page.evaluate(f"({REJECTED})({length.replace('SIZE', str(size + 1))})")
    await page.evaluate(f"() => void {length.replace('SIZE', str(size))}")
    assert size == (await peer.asked())["data"]["f"]["size"]
    assert "too_big" == await page.evaluate(f"({REJECTED})(wsx.send('x'.repeat(300)))")
    assert ["too_big", "too_big"] == [event["code"] for event in await events(page, "error")]


@pytest.mark.parametrize(
    ("config", "expected"),
    [("/ws", 5_000), ('{"maxMessageBytes": 4000}', 4_000)],
    ids=["unless the page does", "not past the page"],
)
async def test_the_server_says_how_long_a_message_may_be(page: Page, visit: Visit, site: Site, config, expected) -> None:
    site.hello["max_message_bytes"] = 5_000
    peer = await visit("", config=config)
    await events(page, "hello")
    assert "too_big" == await page.evaluate(f"({REJECTED})(wsx.send('x'.repeat({expected})))")
    await page.evaluate(f"() => void wsx.send('x'.repeat({expected - 200}))")
    assert expected - 200 == len((await peer.asked())["handler"])


async def test_what_is_shown_while_it_runs_stays_for_the_last_request(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<div wx-loading="#wheel, find i" wx-loading-class=" a  b " wx-swap=none>
             <p id=one wx-send=x>x</p><p id=two wx-send=x>x <i class=own></i></p></div><b id=wheel hidden>…</b>"""
    )
    wheel = page.locator("#wheel")
    await page.click("#one")
    await page.click("#two")
    first, second = await peer.asked(), await peer.asked()
    await expect(page.locator("i")).to_have_class("own a b")
    await peer.answer(second)
    await expect(page.locator("i")).to_have_class("own")
    await expect(wheel).to_be_visible()
    await peer.answer(first)
    await expect(wheel).to_be_hidden()
    await expect(wheel).to_have_class("")


async def test_a_wheel_that_two_share_turns_until_both_are_answered_and_what_was_in_sight_stays(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<div wx-swap=none wx-loading="#wheel, #seen"><p id=one wx-send=x>x</p>
             <p id=two wx-send=y wx-loading-class=busy>y</p></div><b id=wheel hidden>…</b><b id=seen>…</b>"""
    )
    wheel = page.locator("#wheel")
    await page.click("#one")
    await page.click("#two")
    first, second = await peer.asked(), await peer.asked()
    await peer.answer(first)
    await expect(wheel).to_have_class("busy")
    await expect(wheel).to_be_visible()
    await peer.answer(second)
    await expect(wheel).to_be_hidden()
    await expect(page.locator("#seen")).to_be_visible()


async def test_an_interval_waits_for_the_last_answer_and_asks_nothing_while_away(
    page: Page, visit: Visit, site: Site, console: Console
) -> None:
    console.expect("WebSocket connection to .* failed")
    await page.clock.install()
    peer = await visit("<p wx-send=tick wx-swap=none wx-trigger=interval:1s></p>")
    await page.clock.pause_at("2030-01-01")
    await page.clock.run_for(1_000)
    first = await peer.asked()
    await page.clock.run_for(3_000)
    assert [] == await handlers(page, peer)
    await peer.answer(first)
    await events(page, "afterSwap")
    await page.clock.run_for(1_000)
    assert ["tick"] == await handlers(page, peer)
    site.refuse_with = 503
    peer.cut()
    await events(page, "disconnected")
    await page.clock.run_for(3_000)
    assert 0 == await page.locator(".wx-request").count()


async def test_changed_knows_what_a_field_began_with(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<form wx-send=search wx-trigger="keyup changed, paste changed"><input id=p><input id=q name=q value=old></form>"""
    )
    await page.focus("#p")
    await page.keyboard.press("Tab")
    assert [] == await handlers(page, peer)
    await page.keyboard.press("Delete")
    assert ["search"] == await handlers(page, peer)


async def test_what_a_swap_of_ours_submits_neither_asks_nor_leaves_the_page(page: Page, visit: Visit) -> None:
    peer = await visit(
        """<form id=f action=/away wx-send=f></form><div id=box></div>
           <script>
             customElements.define("auto-go", class extends HTMLElement { connectedCallback() { f.requestSubmit(); } });
           </script>"""
    )
    await peer.update("#box", "<auto-go></auto-go>")
    await events(page, "afterSwap")
    assert [] == await handlers(page, peer)
    assert page.url.endswith("/")


async def test_a_script_that_triggers_is_told_when_nothing_was_asked(page: Page, visit: Visit) -> None:
    async def say_no(dialog: Dialog) -> None:
        await dialog.dismiss()

    page.on("dialog", say_no)
    peer = await visit("<p id=asks wx-send=x wx-confirm=Really? data-wx-a=1>x</p><p id=silent>x</p>")
    for element in ("'#asks'", "document.querySelector('#asks')"):
        assert "cancelled" == await page.evaluate(f"({REJECTED})(wsx.trigger({element}))")
    for element in ("#silent", "#nowhere", "]"):
        assert f"no element with wx-send is {element}" == await page.evaluate(f"({REJECTED})(wsx.trigger('{element}'))")
    assert "no element with wx-send is null" == await page.evaluate(f"({REJECTED})(wsx.trigger(null))")
    await page.evaluate("() => void wsx.trigger('#nowhere')")  # nobody has to catch it
    await page.evaluate("asks.removeAttribute('wx-confirm'); void wsx.trigger(asks, {b: 2})")
    assert [("programmatic", {"a": "1", "b": 2})] == [
        (request["trigger"], request["data"]) for request in await asked_until_now(page, peer)
    ]


async def test_an_answer_has_the_time_that_the_page_gives_it(page: Page, visit: Visit) -> None:
    await visit("", config='{"timeoutMs": 30}')
    assert "timeout" == await page.evaluate(f"({REJECTED})(wsx.send('x'))")


async def test_a_listener_may_come_late_and_a_name_that_nobody_has_is_told(page: Page, visit: Visit, console: Console) -> None:
    console.expect("wsx: no listener is called greet")
    peer: Peer = await visit("<div id=box></div>")
    await peer.update("#box", "<b wx-on-click=greet wx-on-wsx:before-request=more wx-send=x wx-swap=none>x</b>")
    await page.click("b")
    await page.evaluate(
        """() => {
             wsx.on("greet", ({ type }, { localName }) => { window.greeted = [...(window.greeted ?? []), type, localName]; });
             WSX.on("more", ({ detail }) => { detail.request.data.more = 1; });
           }"""
    )
    console.expect("wsx: no listener is called more")
    await page.evaluate("document.body.append(document.querySelector('b'))")  # is bound once, not twice
    await page.click("b")
    assert ["click", "b"] == await page.evaluate("greeted")
    assert [{}, {"more": 1}] == [(await answer_next(peer))["data"] for _ in range(2)]
