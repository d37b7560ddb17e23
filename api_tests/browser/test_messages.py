"""What a page does with what it is told."""

import pytest
from playwright.async_api import Page

from api_tests.browser.conftest import Console, Visit
from api_tests.browser.reading import events, handlers, inner
from api_tests.browser.scripted import Peer, Site

THREE = "<p id=a></p><p id=b></p><p id=c></p>"


async def test_an_update_and_what_is_out_of_band_are_swapped_in_their_order(page: Page, visit: Visit):
    peer = await visit(THREE)
    oob = [{"target": "#b", "html": "2"}, {"target": "#a", "html": "3", "swap": "beforeend"}]
    await peer.update("#a", "1", oob=oob)
    assert ["#a", "#b", "#a"] == [event["target"] for event in await events(page, "afterSwap", 3)]
    assert ["13", "2", ""] == await page.locator("p").all_inner_texts()


async def test_a_batch_is_swapped_in_its_order(page: Page, visit: Visit):
    peer = await visit(THREE)
    updates = [{"target": f"#{target}", "html": target, "swap": "beforeend"} for target in "abca"]
    await peer.say(type="batch", updates=updates)
    await events(page, "afterSwap", 4)
    assert ["aa", "b", "c"] == await page.locator("p").all_inner_texts()


async def test_an_answer_with_only_out_of_band_parts_is_swapped(page: Page, visit: Visit):
    peer = await visit(THREE)
    await peer.say(id="1", oob=[{"target": "#b", "html": "2"}])
    await events(page, "afterSwap")
    assert [] == await page.evaluate("heard.filter(({name}) => name === 'error')")


async def test_delays_never_change_the_order_and_never_add_up(page: Page, visit: Visit):
    await page.clock.install()
    peer = await visit("<p id=a></p><p id=b></p>")
    await page.clock.pause_at("2030-01-01")
    for number in range(20):
        await peer.update("#a", f"{number},", "beforeend swap:500ms" if number % 2 == 0 else "beforeend")
    await peer.update("#b", "last")
    await page.wait_for_selector("#a.wx-swapping", state="attached")
    await handlers(page, peer)
    await page.clock.run_for(480)
    assert ("", "") == (await inner(page, "#a"), await inner(page, "#b"))
    await page.clock.run_for(1_000)
    await events(page, "afterSwap", 21)
    assert ("".join(f"{number}," for number in range(20)), "last") == (await inner(page, "#a"), await inner(page, "#b"))


async def test_a_hidden_page_does_not_wait_for_delays(page: Page, visit: Visit):
    """Browsers slow the timers of hidden pages down; a feed would pile up."""
    await page.clock.install()
    peer = await visit("<p id=a></p>")
    await page.clock.pause_at("2030-01-01")
    await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    await peer.update("#a", "1", "innerHTML swap:1m")
    await events(page, "afterSwap")
    assert "1" == await inner(page, "#a")


@pytest.mark.parametrize("target", ["#nowhere", "]not a selector[", "this"])
async def test_a_broadcast_to_a_place_that_the_page_has_not_is_no_error(page: Page, visit: Visit, target):
    peer = await visit("<p id=a></p>")
    await peer.update(target, "x")
    await peer.update("#a", "1")
    await events(page, "afterSwap")
    assert [] == await page.evaluate("heard.filter(({name}) => name === 'error')")
    assert "1" == await inner(page, "#a")


@pytest.mark.parametrize("where", ["answer", "oob"])
async def test_an_answer_to_a_place_that_the_page_has_not_is_told_where_it_was_asked_for(page: Page, visit: Visit, where):
    peer = await visit("<p id=a wx-send=x>x</p>")
    await page.click("#a")
    parts = {"target": "#nowhere"} if where == "answer" else {"oob": [{"target": "#nowhere", "html": "x"}]}
    await peer.answer(await peer.asked(), "x", **parts)
    (told,) = await events(page, "error")
    assert ("no_target", "#nowhere") == (told["code"], told["target"])


async def test_nonsense_from_a_server_harms_nothing(page: Page, visit: Visit, console: Console):
    console.expect("wsx: a message is not JSON")
    peer = await visit("<p id=a wx-gap=reload></p>")
    for text in (
        "nonsense",
        "null",
        "5",
        "[]",
        '"text"',
        "",
        b"\x00",
        '{"type": "of tomorrow", "target": "#a", "html": "x"}',
        "{}",
    ):
        await peer.say_text(text)
    for updates in ("text", 5, [None], [5], {}, [{"target": 5, "html": 5, "swap": 5}]):
        await peer.say(type="batch", updates=updates)
    for targets in ("[text", 5, [None], [{"a": 1}]):
        await peer.say(type="gap", targets=targets)
    await peer.say(id=5, target={}, html=[], swap=True, oob=7)
    await peer.update("#a", "1")
    await page.wait_for_function("document.querySelector('#a').innerHTML === '1'")
    assert 3 >= len(console.errors)


async def test_html_that_is_null_or_a_number_is_text(page: Page, visit: Visit):
    peer = await visit("<p id=a>old</p><p id=b>old</p>")
    await peer.say(target="#a", html=None, swap="textContent")
    await peer.say(target="#b", html=5)
    await events(page, "afterSwap", 2)
    assert ["", "5"] == await page.locator("p").all_inner_texts()


@pytest.mark.parametrize("swap", ["innerHTML", "outerHTML", "beforebegin", "afterbegin", "beforeend", "afterend", "textContent"])
async def test_scripts_in_a_fragment_do_not_run(page: Page, visit: Visit, swap):
    peer = await visit("<main><div id=box></div></main>")
    script = "<script>window.ran = true</script>"
    await peer.update("#box", f"{script}<svg>{script}</svg><div>{script}</div><template>{script}</template><b id=end></b>", swap)
    await events(page, "afterSwap")
    await page.evaluate("() => new Promise(requestAnimationFrame)")
    assert await page.evaluate("window.ran === undefined")


async def test_hello_gives_the_connection_its_id(page: Page, visit: Visit):
    await visit("")
    (hello,) = await events(page, "hello")
    assert {
        "name": "hello",
        "at": "#document",
        "type": "hello",
        "connection": "c1",
        "session": "s1",
        "cursor": "",
        "resumed": False,
    } == hello
    assert ("c1", True) == (await page.evaluate("wsx.connectionId"), await page.evaluate("wsx.isConnected()"))
    await page.evaluate("wsx.disconnect()")
    assert (None, False) == (await page.evaluate("wsx.connectionId"), await page.evaluate("wsx.isConnected()"))


CURSOR = "<meta name=wsx-cursor content=from-page>"


@pytest.mark.parametrize(
    ("head", "hello", "said", "expected"),
    [
        ("", {}, [], "/ws?session=s1"),
        ("", {"cursor": "1/0"}, [], "/ws?cursor=1%2F0&session=s1"),
        (CURSOR, {"cursor": ""}, [], "/ws?cursor=from-page&session=s1"),
        ("", {"cursor": "1"}, [{"target": "#a", "html": "x", "cursor": "2"}], "/ws?cursor=2&session=s1"),
        ("", {}, [{"type": "batch", "updates": [], "cursor": "3"}], "/ws?cursor=3&session=s1"),
        ("", {}, [{"type": "gap", "targets": ["#a"], "cursor": "4"}], "/ws?cursor=4&session=s1"),
        ("", {}, [{"target": "#a", "cursor": "5"}, {"target": "#a"}], "/ws?cursor=5&session=s1"),
        (CURSOR, {"cursor": "9"}, [], "/ws?cursor=from-page&session=s1"),
        (CURSOR, {"cursor": "9"}, [{"type": "gap", "targets": [], "cursor": "9"}], "/ws?cursor=9&session=s1"),
        (CURSOR, {"cursor": "9", "resumed": True}, [], "/ws?cursor=from-page&session=s1"),
        (CURSOR, {"cursor": "9", "resumed": True}, [{"target": "#a", "cursor": "8"}], "/ws?cursor=8&session=s1"),
    ],
)
async def test_a_page_comes_back_with_the_last_place_that_it_knows(
    page: Page, visit: Visit, site: Site, head, hello, said, expected
):
    """Behind a hello the replay is still to come, or the gap: they move the place of a page that has one, not the hello."""
    site.hello |= hello
    peer = await visit("<p id=a></p>", head=head)
    for message in said:
        await peer.say(**message)
    await peer.say(target="#a", html="done")
    await page.wait_for_function("document.querySelector('#a').innerHTML === 'done'")
    await page.evaluate("wsx.reconnect()")
    assert expected == (await site.peer(2)).path


async def test_a_page_opens_its_first_connection_with_the_place_it_was_rendered_at(page: Page, visit: Visit):
    assert "/ws?cursor=from-page" == (await visit("", head=CURSOR)).path


async def test_a_gap_is_told_with_the_targets_to_fetch_again(page: Page, visit: Visit):
    peer = await visit("")
    await peer.say(type="gap", cursor="7", targets=["#announcements"])
    (gap,) = await events(page, "gap")
    assert ["#announcements"] == gap["targets"]


async def test_debug_shows_the_messages(page: Page, visit: Visit):
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    peer = await visit("<p id=a></p>", config='{"url": "/ws", "debug": true}')
    await peer.update("#a", "1")
    await events(page, "afterSwap")
    assert any(line.startswith("wsx: hears") and '"#a"' in line for line in lines)


AGAIN = ("first", "second", "first", "second", "third")


async def say_again(page: Page, peer: Peer, swaps: int) -> str:
    for broadcast in AGAIN:
        await peer.say(id=broadcast, target="#a", html=broadcast[0], swap="beforeend", cursor=broadcast)
    await peer.update("#a", "!", "beforeend")
    await events(page, "afterSwap", swaps)
    return await inner(page, "#a")


async def test_a_broadcast_that_is_pushed_again_is_not_swapped_again(page: Page, visit: Visit):
    peer = await visit("<p id=a></p>")
    assert "fst!" == await say_again(page, peer, 4)


async def test_of_a_batch_only_that_is_swapped_which_was_not_heard_in_another_message(page: Page, visit: Visit):
    peer = await visit("<p id=a></p>")
    item = {"target": "#a", "swap": "beforeend"}
    await peer.say(id="known", html="known ", **item)
    batch = [
        {"id": "known", "html": "again ", **item},
        {"id": "new", "html": "new ", **item},
        {"id": "new", "html": "and its rest ", **item},
    ]
    await peer.say(type="batch", updates=[*batch, {"html": "unnamed ", **item}])
    await peer.say(id="new", html="new again ", **item)
    await peer.update("#a", "!", "beforeend")
    await events(page, "afterSwap", 5)
    assert "known new and its rest unnamed !" == await inner(page, "#a")


async def test_a_page_forgets_what_it_has_heard_long_ago(page: Page, visit: Visit):
    peer = await visit("<p id=a></p>")
    for broadcast in ["first", *range(1_000), "first"]:
        await peer.say(id=f"id-{broadcast}", target="#a", html="x", swap="beforeend")
    await page.wait_for_function("document.querySelector('#a').textContent.length === 1002")
