"""What clients that are not ours are told, and what they say."""

import json
import zlib

import pytest

from app.wire import events, htmx, turbo
from app.wire.dialect import Dialect
from app.wire.inbound import Inbound, Unreadable
from app.wire.markup import sole_root, within_template
from app.wire.prepared import Prepared
from app.wire.update import Fragment, Update

QUIET: list[Dialect] = [htmx.DIALECT, turbo.DIALECT]


def told(dialect: Dialect, update: Update) -> list[str]:
    return [payload.decode() for payload in dialect.encode_update("m:1", update, "c")]


@pytest.mark.parametrize(
    ("update", "html"),
    [
        (Update("#a", "<b>x</b>"), '<wsx-part hx-swap-oob="innerHTML: #a"><b>x</b></wsx-part>'),
        (Update("#a", "x", "beforeend scroll:bottom"), '<wsx-part hx-swap-oob="beforeend: #a">x</wsx-part>'),
        (Update("#a", "<b>&", "textContent"), '<wsx-part hx-swap-oob="innerHTML: #a">&lt;b&gt;&amp;</wsx-part>'),
        (Update("#a", "x", "morph"), '<wsx-part hx-swap-oob="innerHTML: #a">x</wsx-part>'),
        (Update("#a", swap="delete"), '<wsx-part hx-swap-oob="delete: #a"></wsx-part>'),
        (Update("#a", " <div id=a>x</div> ", "outerHTML"), '<div hx-swap-oob="outerHTML: #a" id=a>x</div> '),
        (Update('[x="a"] > b:hover', "x"), '<wsx-part hx-swap-oob="innerHTML: [x=&quot;a&quot;] &gt; b:hover">x</wsx-part>'),
        (Update("#a", "<!-- a --> <TR><td>", "beforeend"), '<tbody hx-swap-oob="beforeend: #a"><!-- a --> <TR><td></tbody>'),
        (Update("#a", "<th>x", "beforeend"), '<tr hx-swap-oob="beforeend: #a"><th>x</tr>'),
        (Update("#a", "<col>", "beforeend"), '<colgroup hx-swap-oob="beforeend: #a"><col></colgroup>'),
        (Update("#a", "<tbody>", "beforeend"), '<table hx-swap-oob="beforeend: #a"><tbody></table>'),
    ],
)
def test_htmx_is_told_in_its_own_words(update: Update, html: str):
    assert [html] == told(htmx.DIALECT, update)


def test_what_may_be_several_elements_takes_the_place_of_a_mark_that_htmx_is_told_to_put_in():
    mark, put, gone = told(htmx.DIALECT, Update("#a", "one <p>two</p>", "outerHTML"))
    assert '<wsx-part id="wsx-m-1-0" hx-swap-oob="outerHTML: #a"></wsx-part>' == mark
    assert '<wsx-part hx-swap-oob="afterend: #wsx-m-1-0">one <p>two</p></wsx-part>' == put
    assert '<wsx-part hx-swap-oob="delete: #wsx-m-1-0"></wsx-part>' == gone
    assert 3 == len(told(htmx.DIALECT, Update("#a", "<div hx-swap-oob='x'></div>", "outerHTML")))


@pytest.mark.parametrize(
    ("update", "html"),
    [
        (Update("#a", "<b>x</b>"), '<turbo-stream action="update" target="a"><template><b>x</b></template></turbo-stream>'),
        (
            Update("#a", "x", "morph"),
            '<turbo-stream action="update" method="morph" target="a"><template>x</template></turbo-stream>',
        ),
        (
            Update("#a", "<b>", "textContent"),
            '<turbo-stream action="update" target="a"><template>&lt;b&gt;</template></turbo-stream>',
        ),
        (Update("#a, .b", "x", "afterend"), '<turbo-stream action="after" targets="#a, .b"><template>x</template></turbo-stream>'),
        (
            Update("#a", "x", "outerHTML show:top"),
            '<turbo-stream action="replace" target="a"><template>x</template></turbo-stream>',
        ),
        (Update("#a", swap="delete"), '<turbo-stream action="remove" target="a"></turbo-stream>'),
    ],
)
def test_turbo_is_told_in_its_own_words(update: Update, html: str):
    assert [html] == told(turbo.DIALECT, update)


@pytest.mark.parametrize("dialect", QUIET)
def test_each_place_is_a_message_and_what_changes_nothing_is_none(dialect: Dialect):
    further = Fragment("#b", "y"), Fragment("#c", swap="none")
    assert 2 == len(told(dialect, Update("#a", "x", oob=further)))
    assert 3 == len(dialect.encode_batch("1", (Update("#a", "x"), Update("#b", "y", oob=further)), "c"))
    assert [] == told(dialect, Update("#a", swap="none")) == told(dialect, Update("", "x"))
    empty = Prepared.of(())
    assert (b"", b"", 0) == (empty.data, empty.compress(), len(empty))


@pytest.mark.parametrize("dialect", QUIET)
def test_nothing_else_is_said_to_clients_that_know_html_alone(dialect: Dialect):
    assert dialect.encode_hello("c", "s", "0", 9, resumed=False) is dialect.encode_place("0") is None
    assert dialect.encode_gap("0", ()) is dialect.encode_drain(1) is None
    assert dialect.encode_error("1", "code", "detail") is dialect.encode_done("1") is None


@pytest.mark.parametrize(
    ("html", "is_one"),
    [
        ("<div>x</div>", True),
        ("<my-card a=1><p></p></my-card>\n", True),
        ("<input id=x />", True),
        ("<p>text</p>", True),
        ("<p>one<ul></ul></p>", False),
        ("<p>one</p><p>two</p>", False),
        ("<div>one</div><div>two</div>", False),
        ("<div>one</div> two", False),
        ("<div><div></div></div>", True),
        ("<div><div></div></div><div></div>", False),
        ("<div>one</div>two</div>", False),
        ("<input><input>", False),
        ("<blink>x</blink>", True),
        ("<table><tr><td>x</table>", True),
        ("<table><div>x</div></table>", False),
        ("<tr><td>x</td></tr>", False),
        ("<b>x<p>y</b>", False),
        ("<div>x", False),
        ("<div></div><path></div>", False),
        ("<div></div><img></div>", False),
        ("<div><script>'<div>'</script></div><div><script>'</div>'</script></div>", False),
        ("<div><!-- </div> --></div>", True),
        ("<br>x</br>", False),
        ("text", False),
        ("", False),
        ('<div title=">">x</div>', True),
        ('<div title="</div><div">x</div>', True),
        ('<img alt=">">', True),
        ('<img alt="<"><path>', False),
    ],
)
def test_one_element_is_only_what_surely_is_one(html: str, is_one: bool):
    assert is_one is (sole_root(html) is not None)


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p>",
        "<template>a</template>",
        "<!-- </template> --> x",
        "<a title='</template>'>x</a>",
        "<textarea></template></textarea>",
        "<svg><template></template></svg>",
        "<svg><![CDATA[</template>]]></svg>",
        "<tr><td>x",
        "<hx-partial>x</hx-partial>",
        "<a title='",
        "a < b",
    ],
)
def test_html_that_stays_in_its_place_is_left_as_it_is(html: str):
    assert html == within_template(html)


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("<template>x", "<template>x</template>"),
        ("<!-- x", "<!-- x-->"),
        ("<TEXTAREA>x", "<TEXTAREA>x</textarea>"),
        ("a</template>b", "a</wsx-none>b"),
        ("a</hx-partial>b", "a</wsx-none>b"),
        ("a</wsx-part><p>b", "a</wsx-none><p>b"),
        ("<svg></TEMPLATE>", "<svg></wsx-none>"),
        ("<svg><template></svg></template>", "<svg><wsx-none></svg></wsx-none>"),
        ("</template><img><!--", "</wsx-none><img><!--"),
    ],
)
def test_html_that_reaches_out_of_its_place_is_made_to_stay(html: str, told: str):
    assert told == within_template(html)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"wx-send": "like", "a": "1", "HEADERS": {}}, Inbound(handler="like", data={"a": "1"})),
        (
            {"HEADERS": {"HX-Trigger": "f", "HX-Trigger-Name": "like", "HX-Target": "box"}},
            Inbound(trigger="like", target="#box"),
        ),
        ({"HEADERS": {"HX-Trigger": "like", "HX-Target": "like", "HX-Trigger-Name": None}}, Inbound(trigger="like")),
        ({"HEADERS": {"HX-Target": 'a"b'}}, Inbound(target='[id="a\\"b"]')),
        ({"headers": {"HX-Source": "form#like", "HX-Target": "div#box%20x"}}, Inbound(trigger="like", target='[id="box x"]')),
        ({"headers": {"HX-Source": "form#like", "HX-Target": "div"}}, Inbound(trigger="like")),
        (
            {"wx-target": "#b", "wx-swap": "beforeend", "HEADERS": {"HX-Target": "box"}},
            Inbound(target="#b", swap="beforeend"),
        ),
        ({"headers": "mine"}, Inbound()),
    ],
)
def test_a_form_of_htmx_is_read(sent: object, read: Inbound):
    assert read == htmx.DIALECT.read(json.dumps(sent))


@pytest.mark.parametrize("text", ["[]", "{", '{"wx-send": 1}', '{"wx-target": "' + "x" * 300 + '"}', "[" * 2_000, b"\xff"])
def test_what_is_no_form_is_refused(text: str | bytes):
    with pytest.raises(Unreadable):
        htmx.DIALECT.read(text)


def test_a_page_of_turbo_may_speak_as_one_of_ours_does():
    assert "like" == turbo.DIALECT.read('{"handler": "like"}').handler
    assert "like" == events.STREAMS["wsx"].read('{"handler": "like"}').handler


def test_events_have_a_line_for_each_line_and_only_the_last_has_the_place_for_its_id():
    stream = events.STREAMS["htmx"]
    update = Update("#a", "x\r\ny\rz", oob=(Fragment("#b", "c"),))
    first, second = stream.encode_update("1", update, "c1")
    whole = htmx.DIALECT.encode_update("1", update, "")[0]
    lines = b'data: <wsx-part hx-swap-oob="innerHTML: #a">x\ndata: y\ndata: z</wsx-part>\n\n'
    assert (b"id: c1~1~%08x\n" % zlib.crc32(whole) + lines, b"id: c1\n") == (first, second[:7])
    assert lines == stream.encode_update("1", update, "")[0]
    assert (b"id: c2\n\n",) == stream.encode_batch("1", (Update("#a", swap="none"),), "c2")
    assert () == stream.encode_update("1", Update("#a", swap="none"), "")
    assert stream.encode_error("1", "code", "detail") is stream.encode_done("1") is None
    assert b"event: drain\nretry: 7\ndata: " in (stream.encode_drain(7) or b"")


def test_an_id_says_which_events_of_a_publication_are_still_to_come():
    _, second, third = stream = events.STREAMS["turbo"].encode_batch("1", [Update("#a", html) for html in "xyz"], "c")
    ids = [one.split(b"\n")[0].removeprefix(b"id: ").decode() for one in stream]
    assert [("c", ids[0]), ("c", ids[1]), ("c", "")] == [events.split_id(one) for one in ids]
    assert ((second, third), (third,)) == (events.behind(stream, ids[0]), events.behind(stream, ids[1]))
    assert events.behind(stream, "c~1~00000000") is None
