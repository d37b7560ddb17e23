"""Catching up, turn by turn: against journals that wait or are ahead, and rooms that take their time."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from api_tests.hub.recording import make_hub, turns
from api_tests.hub.returned import ADA, Returned, hub_ahead, say
from app.hub import missed as module
from app.hub.audience import everyone, near, rooms, users
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.geometry import Place
from app.hub.publication import one
from app.hub.returning import Back
from app.hub.sessions import Kept
from app.wire.update import Update


async def test_what_this_node_has_not_delivered_yet_is_left_to_come_when_it_is():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    await journal.append_elsewhere("2")
    page = Returned(hub, Back(start))
    await page.done()
    assert (["1"], True) == (page.heard, page.is_live)
    await journal.deliver()
    await turns()
    assert ["1", "2"] == page.heard


async def test_what_is_published_while_it_reads_comes_once_and_in_its_place():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.may_read.clear()
    page = Returned(hub, Back(start))
    await journal.reading.wait()
    receipt = await hub.publish(one(everyone, Update("#a", "2", "beforeend")))
    assert (1, 1) == (receipt.matched, receipt.queued)
    journal.may_read.set()
    await page.done()
    await say(hub, "3")
    await turns()
    assert ["1", "2", "3"] == page.heard


async def test_a_journal_that_has_lost_something_in_the_middle_closes_it_to_come_back():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.is_empty = True
    page = Returned(hub, Back(start))
    await page.done()
    assert (Close.SLOW.code, "too slow") == page.sink.closed_with


async def test_a_journal_that_fails_closes_it_to_come_back_and_that_is_logged(logged: Callable[[], str]):
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.is_broken = True
    page = Returned(hub, Back(start))
    await page.done()
    assert (1013, "cannot catch up") == page.sink.closed_with
    assert "catching up failed" in logged()


async def test_a_journal_that_is_away_closes_it_to_come_back_and_it_is_not_called_slow():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.is_away = True
    page = Returned(hub, Back(start))
    await page.done()
    assert (1013, "cannot catch up") == page.sink.closed_with
    assert {(page.connection.dialect.name, Close.NOT_CAUGHT_UP): 1} == hub.registry.went


async def test_one_that_leaves_while_the_journal_is_read_is_forgotten():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.may_read.clear()
    pages = [Returned(hub, Back(start)), Returned(hub, Back(start))]
    await journal.reading.wait()
    hub.disconnect(pages[0].connection, 1006, "")
    pages[1].connection.close()
    journal.may_read.set()
    for page in pages:
        await page.done()
        assert ([], None) == (page.sink.messages, page.connection.outbox.catch_up)
    assert 0 == hub.delivery.held_bytes


async def test_who_has_said_where_it_is_hears_what_was_near_there():
    hub = make_hub()
    hub.on_connection(lambda connection: hub.registry.locate(connection, Place(52.5, 13.4)))
    start = hub.cursor()
    for latitude in (52.5, 10.0):
        await hub.publish(one(near(latitude, 13.4, 5), Update("#a", str(latitude))))
    page = Returned(hub, Back(start))
    await page.done()
    assert ["52.5"] == page.heard


@pytest.mark.parametrize("max_hold_s", [0.0, 3600.0], ids=["in many turns", "in one turn"])
async def test_a_gap_names_the_targets_that_are_known_unless_they_are_too_many(max_hold_s: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_HOLD_S", max_hold_s)
    hub = make_hub()
    start = hub.cursor()
    for number in range(101):
        await say(hub, "x", target=f"#{number % 8}")
        await hub.publish(one(users("bob"), Update(f"#bob-{number}", "x")))
    page = Returned(hub, Back(start))
    await page.done()
    hello, gap = page.sink.messages
    assert (False, [f"#{number}" for number in range(8)]) == (hello["resumed"], gap["targets"])
    monkeypatch.setattr(module, "MAX_TARGETS", 7)
    page = Returned(hub, Back(start))
    await page.done()
    assert [] == page.sink.messages[1]["targets"]


async def test_a_page_that_says_no_place_is_told_of_no_gap_and_has_its_rooms():
    hub = make_hub()
    checked = []

    async def check(connection: Connection, room_ids: Sequence[str]) -> None:
        checked.append(list(room_ids))
        hub.registry.leave(connection, "private")

    hub.returning.check_rooms = check
    page = Returned(hub, Back(None, Kept("before", "ada", {"lobby": "0", "private": "0"}, b"")))
    await page.done()
    (hello,) = page.sink.messages
    assert (False, ["lobby"], [["lobby", "private"]]) == (hello["resumed"], list(page.connection.rooms), checked)


async def test_rooms_that_cannot_be_checked_are_left_and_it_may_have_missed_anything(logged: Callable[[], str]):
    hub = make_hub()

    async def fail(_connection: Connection, _room_ids: object) -> None:
        raise ConnectionError

    hub.returning.check_rooms = fail
    start = hub.cursor()
    await hub.publish(one(rooms("lobby"), Update("#a", "x")))
    page = Returned(hub, Back(start, Kept("before", "ada", {"lobby": "0"}, b"")))
    await page.done()
    assert [("hello", None), ("gap", [])] == [(message["type"], message.get("targets")) for message in page.sink.messages]
    assert ((), "rooms are not restored") == (
        tuple(page.connection.rooms),
        "rooms are not restored" if "rooms are not restored" in logged() else "",
    )


async def test_without_anybody_who_knows_rooms_only_those_come_back_that_the_site_puts_it_into_again():
    hub = make_hub()
    hub.on_connection(lambda connection: hub.registry.join(connection, "hall"))
    start = hub.cursor()
    await hub.publish(one(rooms("hall", "lobby"), Update("#a", "missed")))
    page = Returned(hub, Back(start, Kept("before", "ada", {"hall": "0", "lobby": "0"}, b"")))
    await page.done()
    assert (["hall"], ["missed"]) == (list(page.connection.rooms), page.heard)


async def test_what_was_said_in_a_room_before_the_page_joined_it_is_not_said_again():
    hub = make_hub()
    first = Returned(hub, Back(None))
    start = hub.cursor()
    await hub.publish(one(rooms("lobby"), Update("#a", "before", "beforeend")))
    hub.registry.join(first.connection, "lobby")
    await hub.publish(one(rooms("lobby"), Update("#a", "after", "beforeend")))
    hub.disconnect(first.connection, 1006, "")

    async def believe(_connection: Connection, _room_ids: object) -> None:
        await asyncio.sleep(0)

    hub.returning.check_rooms = believe
    page = Returned(hub, await hub.returning.recognise(start, hub.returning.ids.of(first.connection.id), ADA))
    await page.done()
    assert ["after"] == page.heard


async def test_nothing_is_done_for_a_page_before_its_rooms_are_checked():
    hub = make_hub()
    may_go_on = asyncio.Event()

    async def check(_connection: Connection, _room_ids: object) -> None:
        await may_go_on.wait()

    hub.returning.check_rooms = check
    arrived: list[Connection] = []
    hub.on_arrival(arrived.append)
    page = Returned(hub, Back(None, Kept("before", None, {"lobby": "0"}, b"")), None)
    waiting = asyncio.ensure_future(page.connection.outbox.catch_up.until_placed())
    await turns(3)
    hub.sign_in(page.connection, ADA)
    assert (False, []) == (waiting.done(), arrived)
    may_go_on.set()
    await page.done()
    assert (True, [page.connection]) == (waiting.done(), arrived)


async def test_who_is_closed_before_its_rooms_are_checked_waits_no_longer():
    hub = make_hub()
    page = Returned(hub, Back(hub.cursor(), Kept("before", "ada", {"lobby": "0"}, b"")))
    waiting = asyncio.ensure_future(page.connection.outbox.catch_up.until_placed())
    page.connection.close()
    await waiting
    await page.done()
    assert [] == page.sink.messages


@pytest.mark.parametrize("is_closed", [False, True])
async def test_it_can_be_waited_for_that_a_page_is_live_or_gone(is_closed: bool):
    hub = make_hub()
    start = hub.cursor()
    await hub.publish(one(everyone, Update("#a", "missed")))
    page = Returned(hub, Back(start))
    waiting = asyncio.ensure_future(page.connection.outbox.catch_up.until_live())
    assert not waiting.done()
    if is_closed:
        page.connection.close()
    await waiting
    assert page.connection.outbox.catch_up is None
    await page.done()
    assert page.connection.outbox.closed == is_closed


async def test_a_stored_thing_that_was_published_twice_is_shown_once():
    hub = make_hub()
    start = hub.cursor()
    for text in ("first", "again"):
        await hub.publish(one(users("ada"), Update("#a", text, "beforeend"), "thing"))
        await hub.publish(one(users("ada"), Update("#a", f"no thing {text}", "beforeend")))
    page = Returned(hub, Back(start))
    await page.done()
    assert (["first", "no thing first", "no thing again"], {"thing"}) == (page.heard, page.connection.caught_up_on)


async def test_users_who_have_just_left_are_within_reach():
    hub = make_hub()
    page = Returned(hub, Back(None))
    assert hub.reach.within({"ada"})
    hub.disconnect(page.connection, 1006, "")
    assert {"ada"} == hub.reach.within({"ada", "bob"})
    assert users("ada") == hub.reach.without_absent(users("ada", "bob"))
