"""`from app import wsx`: what site code calls."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from api_tests.hub.recording import make_hub, tab
from api_tests.waiting import eventually
from app import Fragment, Update, html, wsx
from app.hub.audience import connections, everyone, roles, signed_in, users
from app.hub.face import NotRunning, Wsx
from app.hub.hub import Hub
from app.kernel.transaction import PublishedInsideTransaction, marked_open


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = make_hub()
    wsx.bind(hub)
    yield hub
    wsx.unbind()
    await asyncio.sleep(0)


async def test_each_way_of_sending_reaches_whom_it_names(hub: Hub):
    ada, tab_of_ada, nobody = tab(hub, "ada"), tab(hub, "ada"), tab(hub)
    receipts = [
        await wsx.broadcast("#a", "all"),
        await wsx.broadcast("#a", "signed in", audience=signed_in),
        await wsx.send_to_connection(ada.connection.id, "#a", "one"),
        await wsx.send_to_user("ada", "#a", "hers", "beforeend"),
        await wsx.publish(users("nobody"), Update("#a", "lost")),
        await wsx.batch([(everyone, Update("#a", "first")), (signed_in, Update("#b", "second"))]),
        await wsx.send_to_connection("gone", "#a", "lost"),
    ]
    await asyncio.sleep(0)
    assert [3, 2, 1, 2, 0, 3, 0] == [receipt.matched for receipt in receipts]
    assert ["all", "first"] == nobody.heard[:1] + nobody.heard[-1:]
    assert "one" in ada.heard
    assert "one" not in tab_of_ada.heard
    assert ["all"] == [word for word in nobody.heard if word in {"all", "signed in", "hers", "second"}]


async def test_calls_without_await_happen_in_their_order(hub: Hub):
    page = tab(hub)
    for number in range(50):
        wsx.broadcast("#a", str(number), "beforeend")
    await wsx.broadcast("#a", "last", "beforeend")
    await asyncio.sleep(0)
    assert [*map(str, range(50)), "last"] == page.heard


async def test_who_is_there(hub: Hub):
    ada, nobody = tab(hub, "ada").connection, tab(hub).connection
    assert (2, (ada, nobody), (ada,)) == (wsx.connection_count(), wsx.connections(), wsx.connections(signed_in))
    assert (ada, None) == (wsx.connection(ada.id), wsx.connection("gone"))


def test_values_are_escaped_and_the_template_is_not():
    inner = html("<i>{}</i>", "a & b")
    assert "<b title='&lt;x&gt;'><i>a &amp; b</i></b>" == html("<b title='{title}'>{}</b>", inner, title="<x>")


async def test_marked_up_text_arrives_as_text(hub: Hub):
    page = tab(hub)
    await wsx.publish(everyone, Update("#a", html("<b>{}</b>", "<"), oob=(Fragment("#b", html("{}", "&")),)))
    await asyncio.sleep(0)
    assert ("<b>&lt;</b>", "&amp;") == (page.sink.messages[0]["html"], page.sink.messages[0]["oob"][0]["html"])


async def test_hooks_are_kept_for_the_next_server_and_heard_by_this_one():
    face, heard = Wsx(), []
    face.on_connection(lambda connection: heard.append(("on", connection)))
    first = make_hub()
    face.bind(first)
    face.on_disconnection(lambda connection: heard.append(("off", connection)))
    connection = tab(first).connection
    first.disconnect(connection, 1001, "")
    assert [("on", connection), ("off", connection)] == heard
    face.unbind()
    second = make_hub()
    face.bind(second)
    again = tab(second).connection
    second.disconnect(again, 1001, "")
    assert [("on", again), ("off", again)] == heard[2:]


async def test_what_cannot_be_sent_says_why(hub: Hub):
    with pytest.raises(NotRunning, match="no server runs in this process"):
        Wsx().broadcast("#a", "x")
    with pytest.raises(RuntimeError, match="one process is one node"):
        wsx.bind(hub)
    with marked_open(), pytest.raises(PublishedInsideTransaction):
        wsx.broadcast("#a", "x")
    with pytest.raises(ValueError, match="unknown swap 'inside'"):
        wsx.broadcast("#a", "x", "inside")


async def test_a_send_that_fails_unwatched_is_logged(hub: Hub, logged: Callable[[], str]):
    async def append(_payload: bytes) -> str:
        raise OSError("the journal is away")

    hub._journal.append = append
    wsx.broadcast("#a", "x")
    cancelled = wsx.broadcast("#a", "y")
    cancelled.cancel()
    await eventually(lambda: not wsx._sending)
    lines = logged()
    assert 1 == lines.count("send failed")
    assert "the journal is away" in lines


def test_handlers_are_registered_by_name_or_as_the_catch_all():
    face = Wsx()

    @face.on("like")
    async def like(_request, _connection):
        return None

    @face.on()
    async def rest(_request, _connection):
        return None

    assert like is face.handlers._named("like")
    assert rest is face.handlers._named("")


async def test_an_audience_of_nobody_reaches_nobody(hub: Hub):
    tab(hub, "ada", "admin")
    for audience in (users(), roles(), connections()):
        assert 0 == (await wsx.broadcast("#a", "x", audience=audience)).matched


async def test_what_is_over_a_limit_is_refused_before_it_has_a_place(hub: Hub):
    head = hub._journal.head()
    for audience, target in ((users(*map(str, range(1_001))), "#a"), (everyone, ""), (everyone, "#" + "x" * 256)):
        with pytest.raises(ValueError, match="Expected"):
            await wsx.publish(audience, Update(target, "x"))
    assert head == hub._journal.head()
