"""Catching up at the pace of the socket: share by share, bounded, and closed where it is too slow."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from api_tests.hub.recording import make_hub, turns
from api_tests.hub.returned import Returned, behind, hub_ahead, say
from api_tests.waiting import eventually
from app.hub import catch_up as module
from app.hub.audience import users
from app.hub.close import Close
from app.hub.publication import one
from app.hub.returning import AT_ONCE, Back
from app.wire.update import Update


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE_BYTES", 1_000)
    monkeypatch.setattr(module, "STEP", 7)


@pytest.mark.usefixtures("small_shares")
async def test_a_slow_socket_is_waited_for_and_hears_all_in_order():
    hub = make_hub()
    start = hub.cursor()
    texts = [f"{number:090}" for number in range(60)]
    await say(hub, *texts)
    page = Returned(hub, Back(start), accepts=0)
    page.sink.stuck_bytes = 400
    most = 0
    while hub.returning.running:
        await turns()
        held = hub.delivery.held_bytes
        if page.connection.outbox.stuck_bytes:
            most = max(most, held)
            if not page.connection.outbox.sent_count > 20:
                page.connection.send(Update("#b", "direct"))
            hub.delivery.unblock(page.connection.outbox)
    await turns(3)
    assert (texts, {"direct"}) == (page.heard[:60], set(page.heard[60:]))
    assert 400 <= most < 2_000
    assert (0, len(page.sink.messages)) == (hub.delivery.held_bytes, page.connection.sent_count)


@pytest.mark.usefixtures("small_shares")
async def test_one_that_is_slower_than_the_journal_forgets_is_closed_as_slow():
    page = await behind(make_hub(), 20)
    page.sink.stuck_bytes = 400
    await turns(20)
    assert not page.is_live
    await say(page.hub, *["y"] * 100)
    page.hub.delivery.unblock(page.connection.outbox)
    await page.done()
    assert (Close.SLOW.code, 0) == (page.sink.closed_with[0], page.hub.delivery.held_bytes)


@pytest.mark.usefixtures("small_shares")
async def test_one_that_takes_nothing_is_closed_as_slow_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_WAIT_S", 0.02)
    page = await behind(make_hub(), 20)
    await page.done()
    assert Close.SLOW.code == page.sink.closed_with[0]


@pytest.mark.usefixtures("small_shares")
async def test_a_socket_that_breaks_while_it_catches_up_is_dropped_and_nothing_is_left(logged: Callable[[], str]):
    hub = make_hub()
    start = hub.cursor()
    await say(hub, *["x" * 200] * 20)
    page = Returned(hub, Back(start))
    page.sink.is_broken = True
    await turns(20)
    assert page.sink.is_aborted
    hub.disconnect(page.connection, 1006, "")
    await page.done()
    assert (0, True) == (hub.delivery.held_bytes, "socket write failed" in logged())


async def test_too_much_that_is_sent_past_the_journal_closes_it_as_slow():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.may_read.clear()
    page = Returned(hub, Back(start))
    await journal.reading.wait()
    for _ in range(3):
        page.connection.send(Update("#a", "x" * 30_000, "beforeend"))
    await eventually(lambda: page.sink.closed_with is not None)
    assert (Close.SLOW.code, 0) == (page.sink.closed_with[0], hub.delivery.held_bytes)
    journal.may_read.set()
    await page.done()


async def test_one_that_leaves_in_the_middle_is_forgotten():
    hub, journal = hub_ahead()
    start = hub.cursor()
    await say(hub, "1")
    journal.waits_after_next = True
    page = Returned(hub, Back(start))
    await turns(5)
    assert (False, False) == (page.is_live, journal.may_read.is_set())
    page.connection.close()
    journal.may_read.set()
    await page.done()
    assert [] == page.sink.messages


@pytest.mark.usefixtures("small_shares")
async def test_a_fast_socket_is_written_share_by_share_and_others_have_their_turn():
    hub = make_hub()
    start = hub.cursor()
    texts = [f"{number:090}" for number in range(90)]
    await say(hub, *texts)
    page = Returned(hub, Back(start))
    await page.done()
    assert (texts, True) == (page.heard, 5 < len(page.sink.writes) < 30)


@pytest.mark.usefixtures("small_shares")
async def test_what_is_for_others_is_passed_over():
    hub = make_hub()
    start = hub.cursor()
    for _ in range(50):
        await hub.publish(one(users("bob"), Update("#a", "for bob")))
    await say(hub, "for all")
    page = Returned(hub, Back(start))
    await page.done()
    assert (["for all"], 1) == (page.heard, len(page.sink.writes))


async def test_a_gap_that_fills_a_share_by_itself_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SHARE_BYTES", 10)
    hub = make_hub()
    start = hub.cursor()
    await say(hub, *["x"] * 101)
    page = Returned(hub, Back(start), accepts=0)
    await turns(5)
    await say(hub, "1", "2")
    while hub.returning.running:
        await turns()
        hub.delivery.unblock(page.connection.outbox)
    await turns(2)
    assert (["hello", "gap"], ["1", "2"], True) == (
        [message["type"] for message in page.sink.messages[:2]],
        page.heard,
        page.is_live,
    )


async def test_those_who_are_back_together_catch_up_a_few_in_each_turn_of_the_loop():
    hub = make_hub()
    start = hub.cursor()
    await say(hub, "1")
    pages = [Returned(hub, Back(start)) for _ in range(100)]
    live = [0]
    while live[-1] < 100:
        await turns()
        live.append(sum(page.is_live for page in pages))
    assert max(after - before for before, after in pairwise(live)) <= AT_ONCE
    await turns(2)
    assert {("1",)} == {tuple(page.heard) for page in pages}


async def test_what_became_of_those_who_came_back_is_counted():
    hub = make_hub()
    start = hub.cursor()
    await say(hub, "1", "2")
    for text in ("replaced", "last"):
        await hub.publish(one(users("ada"), Update("#b", text)))
    for cursor in (start, hub.cursor(), "x", None):
        await Returned(hub, Back(cursor)).done()
    counts = hub.returning.counts
    assert (2, 1, 3) == (counts.resumed, counts.gaps, counts.replayed)


async def test_long_entries_for_others_are_passed_over_a_few_in_each_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "STEP_BYTES", 2_000)
    hub = make_hub()
    start = hub.cursor()
    for _ in range(20):
        await hub.publish(one(users("bob"), Update("#a", "x" * 1_000)))
    await say(hub, "1")
    page = Returned(hub, Back(start))
    await turns(8)
    assert not page.is_live
    await page.done()
    assert (["1"], True) == (page.heard, page.is_live)
