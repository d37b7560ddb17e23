"""A session is in one place: who comes with it takes over from whoever has it, however often a hello was lost."""

from collections.abc import Collection

import pytest

from api_tests.hub.recording import PLAIN, RecordingSink, make_hub, turns
from api_tests.hub.returned import ADA, Returned, say
from app.hub import past as past_module
from app.hub.audience import connections, everyone, except_
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.publication import one
from app.hub.returning import Back
from app.kernel.identity import User
from app.wire.update import Update

BOB = User("bob", "Bob")
BACK_ELSEWHERE = Close.NOT_ALLOWED.code, "this page is back by another connection"


@pytest.fixture
def hub() -> Hub:
    """Whose rooms may all be entered again."""
    hub = make_hub()

    async def believe(_connection: Connection, _room_ids: Collection[str]) -> None:
        """As if all were members."""

    hub.returning.check_rooms = believe
    return hub


async def first(hub: Hub) -> Returned:
    """A page with a room and a note."""
    page = Returned(hub, Back(None))
    await page.done()
    hub.registry.join(page.connection, "lobby")
    page.connection.session["n"] = 1
    return page


async def come(hub: Hub, session_of: Returned, user: User | None = ADA, cursor: str | None = None) -> Returned:
    """A page that names the session of this one."""
    page = Returned(hub, await hub.returning.recognise(cursor, hub.returning.ids.of(session_of.connection.id), user), user)
    await page.done()
    return page


def has_all(page: Returned) -> bool:
    connection = page.connection
    return page.is_live and (["lobby"], {"n": 1}) == (list(connection.rooms), connection.session)


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_page_that_never_heard_its_hello_comes_again_with_the_same_session(hub: Hub, is_gone: bool):
    page = await first(hub)
    hub.disconnect(page.connection, 1006, "")
    for _ in range(3):
        again = await come(hub, page)
        assert has_all(again)
        if is_gone:
            hub.disconnect(again.connection, 1006, "")
    last = await come(hub, page)
    assert (True, [last.connection]) == (has_all(last), list(hub.registry))
    if not is_gone:
        assert BACK_ELSEWHERE == again.sink.closed_with


async def test_two_that_name_one_session_do_not_both_have_it(hub: Hub):
    page = await first(hub)
    one_of_them, other = await come(hub, page), await come(hub, page)
    assert [BACK_ELSEWHERE, BACK_ELSEWHERE, None] == [each.sink.closed_with for each in (page, one_of_them, other)]
    assert (True, 1) == (has_all(other), len(hub.registry))
    assert has_all(await come(hub, one_of_them)), "whoever it was has the newest session or an older one"


@pytest.mark.parametrize("user", [BOB, None])
async def test_only_its_own_user_takes_over(hub: Hub, user: User | None):
    page = await first(hub)
    again = await come(hub, page)
    stranger = await come(hub, page, user)
    assert ([], {}, None) == (list(stranger.connection.rooms), stranger.connection.session, again.sink.closed_with)
    assert has_all(await come(hub, page))


async def test_who_was_sent_away_after_it_took_over_leaves_nothing_to_the_older_session(hub: Hub):
    page = await first(hub)
    again = await come(hub, page)
    again.connection.close(Close.BACK_OFFICE)
    assert not has_all(await come(hub, page))


async def test_after_two_minutes_the_older_session_is_unknown(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    page = await first(hub)
    again = await come(hub, page)
    later = past_module.monotonic() + 121
    monkeypatch.setattr(past_module, "monotonic", lambda: later)
    assert not has_all(await come(hub, page))
    assert (True, None) == (has_all(again), again.sink.closed_with)


async def test_a_connection_that_knows_no_sessions_is_not_taken_over(hub: Hub):
    page = await first(hub)
    back = await hub.returning.recognise(None, hub.returning.ids.of(page.connection.id), ADA)
    plain = hub.connect(RecordingSink(), PLAIN, ADA, address="", user_agent="", back=back)
    assert not has_all(await come(hub, page))
    assert (False, False) == (plain.outbox.closed, hub.returning.takes_over(hub.returning.ids.of(page.connection.id), ADA))


async def test_it_is_known_before_whether_an_open_connection_is_taken_over(hub: Hub):
    page = await first(hub)
    session = hub.returning.ids.of(page.connection.id)
    takes_over = hub.returning.takes_over
    assert [True, False, False, False] == [
        takes_over(*said) for said in ((session, ADA), (session, BOB), ("x", ADA), ("x" * 1_000, ADA))
    ]
    again = await come(hub, page)
    assert takes_over(session, ADA)
    again.sink.abort()
    assert not takes_over(session, ADA), "its socket is gone, and the hub is told in a moment"
    hub.disconnect(again.connection, 1006, "")
    assert not takes_over(session, ADA)


async def test_what_was_meant_for_the_earlier_connections_of_a_page_is_for_it_in_its_time(hub: Hub):
    page = await first(hub)
    start = hub.cursor()
    pages = [page]
    for _ in range(2):
        await hub.publish(one(except_(everyone, connections(pages[-1].connection.id)), Update("#a", "for others", "beforeend")))
        await hub.publish(one(connections(pages[-1].connection.id), Update("#a", str(len(pages)), "beforeend")))
        hub.disconnect(pages[-1].connection, 1006, "")
        lost = await come(hub, pages[-1], cursor=start)
        hub.disconnect(lost.connection, 1006, "")
        pages.append(await come(hub, pages[-1], cursor=start))
    await say(hub, "3")
    await turns()
    assert ["1", "2", "3"] == pages[-1].heard


async def test_a_gap_names_what_was_meant_for_an_earlier_connection_though_it_was_told_again_later(hub: Hub):
    page = await first(hub)
    start = hub.cursor()
    ours, others = connections(page.connection.id), connections("other")
    await hub.publish(one(ours, Update("#ours", "x")))
    for _ in range(101):  # more than the journal keeps
        await hub.publish(one(others, Update("#others", "x")))
    again = Returned(hub, await hub.returning.recognise(start, hub.returning.ids.of(page.connection.id), ADA))
    await hub.publish(one(ours, Update("#ours", "to an id of before")))
    await again.done()
    assert [["#ours"]] == [message["targets"] for message in again.sink.messages if message.get("type") == "gap"]


async def test_who_is_closed_as_soon_as_it_is_back_hears_nothing(hub: Hub):
    page = await first(hub)
    cursor = hub.cursor()
    hub.on_connection(lambda connection: connection.close(Close.NOT_ALLOWED))
    arrived: list[Connection] = []
    hub.on_arrival(arrived.append)
    for known in (cursor, None):
        again = await come(hub, page, cursor=known)
        assert ([], [], None) == (again.sink.messages, arrived, again.connection.outbox.catch_up)
    assert (0, 0) == (len(hub.registry), hub.delivery.held_bytes)
