"""What pages are told and what they say: the WSX dialect in its forms, swaps, requests, prepared messages."""

import json
import re

import pytest
from markupsafe import Markup

from app.kernel.errors import WrongField
from app.wire import inbound, wsx
from app.wire.prepared import Prepared
from app.wire.swap import PATTERN, STYLES, check_swap, style_of
from app.wire.update import Fragment, Update

ONE = Update("#a", "<b>é</b>", "beforeend", (Fragment("#b", "b"),))


def test_an_update_is_the_wsx_message_and_the_cursor_is_for_v1_only() -> None:
    plain = {
        "id": "1",
        "target": "#a",
        "html": "<b>é</b>",
        "swap": "beforeend",
        "oob": [{"target": "#b", "html": "b", "swap": "innerHTML"}],
    }
    assert plain == json.loads(*wsx.dialect(extended=False).encode_update("1", ONE, "c"))
    assert {**plain, "cursor": "c"} == json.loads(*wsx.dialect(extended=True).encode_update("1", ONE, "c"))
    assert plain == json.loads(*wsx.dialect(extended=True).encode_update("1", ONE, ""))


def test_a_batch_has_every_fragment_in_order() -> None:
    updates = [ONE, Update("#c", "c")]
    told = json.loads(*wsx.dialect(extended=True).encode_batch("1", updates, "c"))
    assert ("batch", ["#a", "#b", "#c"], "c") == (told["type"], [item["target"] for item in told["updates"]], told["cursor"])
    told = json.loads(*wsx.dialect(extended=False).encode_batch("1", updates, "c"))
    assert {"type", "updates"} == set(told)
    told = json.loads(*wsx.dialect(extended=False, batch_as_oob=True).encode_batch("1", updates, "c"))
    assert ("#a", ["#b", "#c"]) == (told["target"], [part["target"] for part in told["oob"]])


def test_what_a_batch_shows_under_an_id_has_that_in_each_of_its_fragments_for_v1_only() -> None:
    updates = [ONE, Update("#c", "c")]
    told = json.loads(*wsx.dialect(extended=True).encode_batch("1", updates, "c", ["one", ""]))
    assert ["one", "one", None] == [item.get("id") for item in told["updates"]]
    told = json.loads(*wsx.dialect(extended=False).encode_batch("1", updates, "c", ["one", ""]))
    assert [None] * 3 == [item.get("id") for item in told["updates"]]


def test_only_v1_knows_hello_gap_and_error() -> None:
    old, new = wsx.dialect(extended=False), wsx.dialect(extended=True)
    assert old.encode_hello("c", "s", "0", 9, resumed=False) is None
    assert old.encode_gap("0", ["#a"]) is None
    assert old.encode_error("1", "code", "detail") is None
    assert {
        "type": "hello",
        "connection": "c",
        "session": "s",
        "cursor": "0",
        "resumed": False,
        "max_message_bytes": 9,
    } == json.loads(new.encode_hello("c", "s", "0", 9, resumed=False) or b"")
    assert {"type": "gap", "cursor": "0", "targets": ["#a"]} == json.loads(new.encode_gap("0", ["#a"]) or b"")
    assert {"type": "error", "id": "1", "code": "code", "detail": "x"} == json.loads(new.encode_error("1", "code", "x") or b"")


def test_the_four_forms_have_four_names() -> None:
    forms = [wsx.dialect(extended=one, batch_as_oob=two) for one in (False, True) for two in (False, True)]
    assert ["wsx", "wsx+oob", "wsx.v1", "wsx.v1+oob"] == [form.name for form in forms]


@pytest.mark.parametrize("swap", [*sorted(STYLES), "beforeend swap:100ms settle:2s show:top scroll:bottom focus-scroll:true"])
def test_known_swaps_pass(swap: str) -> None:
    check_swap(swap)
    assert re.search(PATTERN, swap)
    assert style_of(swap) in STYLES


@pytest.mark.parametrize(
    "swap", ["", "innerhtml", "morphed", "innerHTML  ", "innerHTML swap:fast", "innerHTML show:left", "innerHTML x:1"]
)
def test_unknown_swaps_are_refused_with_advice(swap: str) -> None:
    assert not re.search(PATTERN, swap)
    for make in (lambda: Update("#a", "", swap), lambda: Fragment("#a", "", swap)):
        with pytest.raises(WrongField, match="is wanted") as wrong:
            make()
        assert "swap" == wrong.value.field


def test_marked_up_html_becomes_text() -> None:
    assert str is type(Update("#a", Markup("<b>")).html)
    assert str is type(Fragment("#a", Markup("<b>")).html)


def test_a_request_is_read_tolerantly() -> None:
    request = inbound.read('{"id":"1","handler":"h","data":{"a":[1]},"unknown":true}')
    assert ("1", "h", {"a": [1]}, "", "") == (request.id, request.handler, request.data, request.target, request.type)


@pytest.mark.parametrize(
    ("text", "readable", "words"),
    [
        ("", ("", "", ""), "truncated"),
        ('{"id":"7","target":5}', ("7", "", ""), "$.target"),
        ('{"id":"7","target":"#a","swap":"beforeend","data":null}', ("7", "#a", "beforeend"), "$.data"),
        ('{"id":"7","target":"#a","data":{', ("7", "", ""), "truncated"),
        (b'{"id":"7","target":"#a","data":{"x":"\xff"}}', ("7", "#a", ""), "invalid start byte"),
        (b'{"id":"\xff","target":"#a"}', ("", "", ""), "invalid start byte"),
        ('{"type":"other"}', ("", "", ""), "Invalid enum value"),
        ('{"data":' + "[" * 100_000, ("", "", ""), ""),
    ],
)
def test_an_unreadable_request_names_the_field_and_keeps_where_its_answer_goes(
    text: str | bytes, readable: tuple[str, str, str], words: str
) -> None:
    with pytest.raises(inbound.Unreadable) as refusal:
        inbound.read(text)
    request = refusal.value.request
    assert readable == (request.id, request.target, request.swap)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("swap", "oob", "replaces", "content_of"),
    [
        ("innerHTML", False, "#a", "#a"),
        ("textContent settle:1s", False, "#a", "#a"),
        ("innerHTML", True, "#a", None),
        ("outerHTML", False, "#a", None),
        ("delete", False, "#a", None),
        ("beforeend", False, None, None),
        ("none", False, None, None),
    ],
)
def test_a_prepared_message_knows_what_it_hides_and_what_may_hide_it(
    swap: str, oob: bool, replaces: str | None, content_of: str | None
) -> None:
    update = Update("#a", "x", swap, (Fragment("#b", "y"),) if oob else ())
    message = Prepared.of_update((b"{}",), update)
    assert (replaces, content_of) == (message.replaces, message.content_of)


def test_joined_messages_are_their_frames_in_order() -> None:
    whole = Prepared.joined([Prepared(b"one"), Prepared(b"two")])
    assert b"\x81\x03one\x81\x03two" == whole.data
    assert (b"one", b"two") == whole.payloads
    assert (10, None, None) == (len(whole), whole.replaces, whole.content_of)


@pytest.mark.parametrize("kind", [Update, Fragment])
def test_html_may_be_missing_only_where_none_is_needed(kind: type[Update | Fragment]):
    for swap in ("delete", "none"):
        assert "" == kind("#a", swap=swap).html
    with pytest.raises(WrongField, match="only delete and none need none"):
        kind("#a")
