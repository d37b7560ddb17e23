"""Each swap word and each modifier, on a real page."""

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Visit
from api_tests.browser.reading import events, inner

BOX = '<main><div id="box"><i>old</i></div></main>'
NEW = "<b>new</b>"


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        ("innerHTML", '<div id="box"><b>new</b></div>'),
        ("outerHTML", "<b>new</b>"),
        ("beforebegin", '<b>new</b><div id="box"><i>old</i></div>'),
        ("afterbegin", '<div id="box"><b>new</b><i>old</i></div>'),
        ("beforeend", '<div id="box"><i>old</i><b>new</b></div>'),
        ("afterend", '<div id="box"><i>old</i></div><b>new</b>'),
        ("delete", ""),
        ("none", '<div id="box"><i>old</i></div>'),
        ("textContent", '<div id="box">&lt;b&gt;new&lt;/b&gt;</div>'),
        ("constructor", '<div id="box"><b>new</b></div>'),
    ],
)
async def test_each_swap_word_does_what_it_says(page: Page, visit: Visit, swap, expected):
    peer = await visit(BOX)
    await peer.update("#box", NEW, swap)
    (after,) = await events(page, "afterSwap")
    assert expected == await inner(page, "main")
    assert ("#box", NEW, swap) == (after["target"], after["html"], after["swap"])


async def test_an_update_without_a_swap_word_replaces_what_is_inside(page: Page, visit: Visit):
    peer = await visit(BOX)
    await peer.say(id="1", target="#box", html=NEW)
    await events(page, "afterSwap")
    assert NEW == await inner(page, "#box")


async def test_only_the_first_of_several_matching_elements_is_swapped(page: Page, visit: Visit):
    peer = await visit("<main><p class=x></p><p class=x></p></main>")
    await peer.update(".x", "1")
    await events(page, "afterSwap")
    assert '<p class="x">1</p><p class="x"></p>' == await inner(page, "main")


@pytest.mark.parametrize(
    ("body", "target", "html"),
    [
        ("<table><tbody id=to></tbody></table>", "#to", "<tr><td>1</td></tr>"),
        ("<table><tbody><tr id=to></tr></tbody></table>", "#to", "<td>1</td><td>2</td>"),
        ("<select id=to></select>", "#to", "<option>1</option>"),
    ],
)
async def test_rows_cells_and_options_arrive_whole(page: Page, visit: Visit, body, target, html):
    peer = await visit(body)
    await peer.update(target, html, "beforeend")
    await events(page, "afterSwap")
    assert html == await inner(page, target)


@pytest.mark.parametrize("swap", ["outerHTML", "innerHTML", "delete", "beforebegin", "afterbegin"])
async def test_a_form_whose_fields_are_named_like_dom_methods_can_be_swapped(page: Page, visit: Visit, swap):
    names = ("remove", "replaceWith", "replaceChildren", "before", "prepend", "id")
    peer = await visit(f"<main><form id=f>{''.join(f'<input name={name}>' for name in names)}</form></main>")
    await peer.update("#f", NEW, swap)
    (after,) = await events(page, "afterSwap")
    assert swap == after["swap"]


async def test_a_swap_delay_waits_and_marks_its_target_meanwhile(page: Page, visit: Visit):
    peer = await visit(BOX)
    await page.clock.install()
    await page.clock.pause_at("2030-01-01")
    await peer.update("#box", NEW, "innerHTML swap:400ms settle:2s")
    await page.wait_for_selector("#box.wx-swapping")
    await page.clock.run_for(390)
    assert "<i>old</i>" == await inner(page, "#box")
    await page.clock.run_for(20)
    assert NEW == await inner(page, "#box")
    assert "wx-settling" == await page.get_attribute("#box", "class")
    await page.clock.run_for(2_010)
    assert "" == await page.get_attribute("#box", "class")


TALL = '<div id="box" style="height:100px;overflow:auto"><p style="height:1000px">x</p></div>'


@pytest.mark.parametrize(("word", "expected"), [("bottom", 1_000), ("top", 0)])
async def test_scroll_moves_what_is_inside_the_target(page: Page, visit: Visit, word, expected):
    peer = await visit(TALL)
    await page.evaluate("box.scrollTop = 500")
    await peer.update("#box", '<p style="height:100px;margin:0">y</p>', f"beforeend scroll:{word}")
    await events(page, "afterSwap")
    assert abs(expected - await page.evaluate("box.scrollTop")) < 40


@pytest.mark.parametrize(("word", "edge"), [("top", "top"), ("bottom", "bottom")])
async def test_show_brings_the_target_into_view(page: Page, visit: Visit, word, edge):
    peer = await visit(f'<div style="height:3000px"></div>{BOX}<div style="height:3000px"></div>')
    await peer.update("#box", '<p style="height:50px;margin:0">y</p>', f"innerHTML show:{word}")
    await events(page, "afterSwap")
    wanted = 0 if edge == "top" else await page.evaluate("innerHeight")
    assert abs(wanted - await page.evaluate(f"box.getBoundingClientRect().{edge}")) < 2


@pytest.mark.parametrize(("swap", "moves"), [("innerHTML", False), ("innerHTML focus-scroll:true", True)])
async def test_focus_scrolls_only_when_it_is_asked_to(page: Page, visit: Visit, swap, moves):
    field = "<div style='height:3000px'></div><input id=name>"
    peer = await visit(f"<div id=box>{field}</div>")
    await page.focus("#name")
    await page.evaluate("scrollTo(0, 0)")
    await peer.update("#box", field, swap)
    await events(page, "afterSwap")
    assert "name" == await page.evaluate("document.activeElement.id")
    assert moves == (await page.evaluate("scrollY") > 0)


@pytest.mark.parametrize(("target", "swap"), [("#box", "innerHTML"), ("#box", "outerHTML"), ("#name", "outerHTML")])
async def test_focus_and_caret_stay_in_a_field_that_is_there_again(page: Page, visit: Visit, target, swap):
    field = "<input id=name value=abcdef>"
    html = f"<div id=box>{field}</div>" if (target, swap) == ("#box", "outerHTML") else field
    peer = await visit(f"<div id=box>{field}</div>")
    await page.focus("#name")
    await page.evaluate("document.querySelector('#name').setSelectionRange(2, 4, 'backward')")
    await peer.update(target, html, swap)
    await events(page, "afterSwap")
    caret = "(({id, selectionStart, selectionEnd, selectionDirection}) => [id, selectionStart, selectionEnd, selectionDirection])"
    assert ["name", 2, 4, "backward"] == await page.evaluate(f"{caret}(document.activeElement)")


async def test_a_field_of_another_kind_gets_the_focus_without_a_caret(page: Page, visit: Visit):
    peer = await visit("<div id=box><input id=name></div>")
    await page.focus("#name")
    await peer.update("#box", "<input id=name type=checkbox>")
    await events(page, "afterSwap")
    assert "checkbox" == await page.evaluate("document.activeElement.type")


async def test_focus_elsewhere_is_left_alone(page: Page, visit: Visit):
    peer = await visit("<input id=other><div id=box><input id=name></div>")
    await page.focus("#other")
    await peer.update("#box", "<input id=name>")
    await events(page, "afterSwap")
    assert "other" == await page.evaluate("document.activeElement.id")


async def test_a_listener_can_cancel_a_swap_or_change_its_html(page: Page, visit: Visit):
    peer = await visit(BOX)
    await page.evaluate(
        """document.addEventListener("wsx:beforeSwap", (event) => {
             if (event.detail.html === "no") event.preventDefault(); else event.detail.html = `<u>${event.detail.html}</u>`; })"""
    )
    await peer.update("#box", "yes")
    await peer.update("#box", "no")
    await events(page, "beforeSwap", 2)
    assert "<u>yes</u>" == await inner(page, "#box")
    assert 1 == len(await events(page, "afterSwap"))


async def test_swap_events_come_from_the_element_that_stands_there_afterwards(page: Page, visit: Visit):
    peer = await visit(f"<section id=parent>{BOX}</section>")
    await peer.update("#box", "<b id=fresh></b>", "outerHTML")
    await peer.update("main", "", "delete")
    before, after = await events(page, "beforeSwap", 2), await events(page, "afterSwap", 2)
    assert ["box", "MAIN"] == [event["at"] for event in before]
    assert ["fresh", "parent"] == [event["at"] for event in after]


async def test_scripts_and_styles_are_no_place_for_html(page: Page, visit: Visit):
    peer = await visit("<script id=s></script><style id=t></style><p id=p></p>")
    await peer.update("#s", "window.owned = 1", "textContent")
    await peer.update("#t", "p { display: none }", "innerHTML")
    told = await events(page, "error", 2)
    assert ["no_target", "no_target"] == [event["code"] for event in told]
    assert [None, "block"] == await page.evaluate("[window.owned ?? null, getComputedStyle(document.querySelector('#p')).display]")
