"""`from app import wsx`: what site code calls."""

from collections.abc import AsyncIterator, Callable
from math import nan

import pytest

from api_tests.hub.recording import make_hub, tab, turns
from api_tests.waiting import eventually
from app import Fragment, Update, html, wsx
from app.hub.audience import (
    MAX_IDS,
    Except,
    Unsettled,
    Users,
    connections,
    everyone,
    followers_of,
    near,
    roles,
    rooms,
    signed_in,
    users,
)
from app.hub.face import NotRunning, Wsx
from app.hub.hub import Hub
from app.kernel.transaction import PublishedInsideTransaction, marked_open


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = make_hub()
    wsx.bind(hub)
    yield hub
    wsx.unbind()
    await turns()


async def test_each_way_of_sending_reaches_whom_it_names(hub: Hub):
    ada, tab_of_ada, nobody = tab(hub, "ada"), tab(hub, "ada"), tab(hub)
    hub.registry.join(tab_of_ada.connection, "lobby")
    receipts = [
        await wsx.broadcast("#a", "all"),
        await wsx.broadcast("#a", "signed in", audience=signed_in),
        await wsx.send_to_connection(ada.connection.id, "#a", "one"),
        await wsx.send_to_user("ada", "#a", "hers", "beforeend"),
        await wsx.publish(users("nobody"), Update("#a", "lost")),
        await wsx.batch([(everyone, Update("#a", "first")), (signed_in, Update("#b", "second"))]),
        await wsx.send_to_connection("gone", "#a", "lost"),
        await wsx.send_to_room("lobby", "#a", "in the room", "beforeend"),
        await wsx.send_to_room("kitchen", "#a", "lost"),
    ]
    await turns()
    assert [3, 2, 1, 2, 0, 3, 0, 1, 0] == [receipt.matched for receipt in receipts]
    assert ["all", "first"] == nobody.heard[:1] + nobody.heard[-1:]
    assert "one" in ada.heard
    assert "one" not in tab_of_ada.heard
    assert ("in the room", "second") == (tab_of_ada.heard[-1], ada.heard[-1])
    assert ["all"] == [word for word in nobody.heard if word in {"all", "signed in", "hers", "second"}]


async def test_calls_without_await_happen_in_their_order(hub: Hub):
    page = tab(hub)
    for number in range(50):
        wsx.broadcast("#a", str(number), "beforeend")
    await wsx.broadcast("#a", "last", "beforeend")
    await turns()
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
    await turns()
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

    hub.journal.append = append
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
    for audience in (users(), roles(), connections(), rooms()):
        assert 0 == (await wsx.broadcast("#a", "x", audience=audience)).matched


async def test_forty_thousand_users_are_one_audience(hub: Hub):
    ada, bob = tab(hub, "ada"), tab(hub, "bob")
    many = [f"user-{number}" for number in range(40_000)]
    assert [1, 1, 2] == [
        (await wsx.broadcast("#a", "x", audience=audience)).matched
        for audience in (users(*many[:MAX_IDS], "ada"), users("bob", *many), users("ada", *many, "bob", "ada"))
    ]
    await turns()
    assert [2, 2] == [len(page.heard) for page in (ada, bob)]


async def test_site_code_may_put_pages_into_rooms_and_onto_the_map(hub: Hub):
    ada, bob = tab(hub, "ada").connection, tab(hub, "bob").connection
    wsx.join(ada, "lobby")
    wsx.join(bob, "lobby")
    wsx.leave(bob, "lobby")
    wsx.locate(ada, 52.52, 13.405)
    assert [(ada,), (ada,)] == [wsx.connections(audience) for audience in (rooms("lobby"), near(52.5, 13.4, 10))]
    assert ("lobby",) == tuple(ada.rooms)
    for latitude, longitude in ((90.1, 0), (0, -180.1), (nan, 0)):
        with pytest.raises(ValueError, match="Expected `float`"):
            wsx.locate(ada, latitude, longitude)
    assert (52.52, 13.405) == (ada.place.latitude, ada.place.longitude)


async def test_a_page_that_is_gone_is_put_nowhere(hub: Hub):
    gone = tab(hub, "ada").connection
    gone.close()
    wsx.join(gone, "lobby")
    wsx.locate(gone, 52.52, 13.405)
    wsx.leave(gone, "lobby")
    assert [(), ()] == [wsx.connections(audience) for audience in (rooms("lobby"), near(52.5, 13.4, 10))]
    assert ([], None) == (list(gone.rooms), gone.place)


async def test_who_follows_whom_must_be_asked_for(hub: Hub):
    ada = tab(hub, "ada").connection
    for audience in (followers_of("ada"), Except(users("nobody"), followers_of("ada"))):  # also where nobody is there to ask about
        with pytest.raises(Unsettled, match=r"await wsx\.find"):
            wsx.connections(audience)
    assert () == await wsx.find(followers_of("ada"))
    assert (ada,) == await wsx.find(Except(everyone, followers_of("ada")))


def test_events_are_kept_for_as_long_as_the_process_lives():
    face, heard = Wsx(), []
    face.events.on("order.paid", heard.append)
    face.events.emit("order.paid", 5)
    assert [5] == heard


async def test_what_is_over_a_limit_is_refused_before_it_has_a_place(hub: Hub):
    head = hub.journal.head()
    too_many = Users(frozenset(map(str, range(MAX_IDS + 1))))
    for audience, target in ((too_many, "#a"), (users("x" * 129), "#a"), (everyone, ""), (everyone, "#" + "x" * 256)):
        with pytest.raises(ValueError, match="Expected"):
            await wsx.publish(audience, Update(target, "x"))
    assert head == hub.journal.head()
