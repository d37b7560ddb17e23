"""A node that stops: each page is told its own slot, then closed, and nobody can make it last longer."""

import asyncio
from collections.abc import Callable

import pytest

from api_tests.fakes import journal_silent
from api_tests.hub.recording import PLAIN, V1, Tab, make_hub, tab, turns
from api_tests.hub.returned import Returned, behind, say
from api_tests.waiting import MS, eventually
from app.hub import catch_up, drain
from app.hub.audience import everyone
from app.hub.drain import FIRST_SLOT_S, GOODBYES_PER_S, MIN_SPREAD_S, Drain
from app.hub.publication import one
from app.hub.returning import Back
from app.kernel.clock import monotonic
from app.wire.update import Update

LONG_S = 15.0


def slots_ms(tabs: list[Tab]) -> list[int]:
    """The slot that each page was told, which must be the last that it heard."""
    return [page.sink.messages[-1]["retry_in_ms"] for page in tabs]


async def test_pages_have_slots_of_their_own_from_the_first_on_and_over_two_seconds_at_least():
    hub = make_hub()
    pages = [tab(hub, form=V1) for _ in range(4)]
    await Drain(hub, LONG_S).run()
    wanted_s = [FIRST_SLOT_S + (3 - place) / GOODBYES_PER_S + MIN_SPREAD_S * place / 4 for place in range(4)]
    assert [round(1000 * slot_s) for slot_s in wanted_s] == slots_ms(pages)
    assert {(1012, "restarting")} == {page.sink.closed_with for page in pages}
    assert (True, 0) == (hub.is_draining, len(hub.registry))


@pytest.mark.parametrize(("within_s", "spread_s"), [(LONG_S, 5.0), (5.0, 4.0), (0.0, MIN_SPREAD_S)])
async def test_a_hundred_come_back_in_a_second_unless_the_drain_time_is_too_short_for_that(within_s: float, spread_s: float):
    hub = make_hub()
    pages = [tab(hub, form=V1) for _ in range(500)]
    await Drain(hub, within_s).run()
    told = slots_ms(pages)
    assert len(told) == len(set(told))
    assert 1000 * (FIRST_SLOT_S + spread_s * 499 / 500) == pytest.approx(told[-1], abs=1)
    assert told[-1] <= max(1000 * within_s, 1000 * (FIRST_SLOT_S + MIN_SPREAD_S))


async def test_the_first_comes_back_when_all_have_been_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "GOODBYES_PER_S", 1)
    hub = make_hub()
    pages = [tab(hub, form=V1) for _ in range(3)]
    await Drain(hub, LONG_S).run()
    assert 1000 * (FIRST_SLOT_S + 2) == slots_ms(pages)[0]
    assert round(1000 * (FIRST_SLOT_S + MIN_SPREAD_S * 2 / 3)) == slots_ms(pages)[2]


async def test_whoever_looks_sees_that_the_node_stops_before_pages_are_sent_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "LEAD_S", 50 * MS)
    hub = make_hub()
    page, plain = tab(hub, form=V1), tab(hub, form=PLAIN)
    stops = Drain(hub, LONG_S)
    stops.looked()
    began = monotonic()
    draining = asyncio.create_task(stops.run())
    await turns(3)
    assert (True, 2) == (hub.is_draining, len(hub.registry))
    await hub.publish(one(everyone, Update("#a", "still here", "beforeend")))
    await draining
    assert monotonic() - began > 40 * MS
    assert ["still here"] == page.heard == plain.heard
    assert {(1012, "restarting")} == {page.sink.closed_with, plain.sink.closed_with}


async def test_a_page_that_takes_nothing_and_has_no_room_for_its_slot_does_not_hold_the_stop():
    hub = make_hub(outbox_bytes=300)
    page, *others = [tab(hub, form=V1) for _ in range(3)]
    await hub.delivery.writing.until_written()
    page.sink.accepts = 0
    for _ in range(2):
        await hub.publish(one(everyone, Update("#a", "x" * 150, "beforeend")))
        await hub.delivery.writing.until_written()
    assert 200 < page.connection.outbox.queued_bytes <= 300
    async with asyncio.timeout(LONG_S):
        await Drain(hub, 0.0).run()
    assert {(1012, "restarting")} == {one_of_all.sink.closed_with for one_of_all in (page, *others)}
    assert 0 == len(hub.registry)


async def test_the_lead_is_a_part_of_the_drain_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "LEAD_SHARE", 50 * MS / LONG_S)
    monkeypatch.setattr(drain, "PAGES_PER_S", 1.0)
    hub = make_hub()
    pages = [tab(hub, form=V1) for _ in range(20)]
    stops = Drain(hub, LONG_S)
    stops.looked()
    await stops.run()
    assert stops.left_s < LONG_S - 40 * MS
    assert 1000 * (FIRST_SLOT_S + (0.8 * LONG_S - 50 * MS) * 19 / 20) == pytest.approx(slots_ms(pages)[-1], abs=1)


@pytest.mark.parametrize("within_s", [0.0, LONG_S])
async def test_there_is_no_lead_without_drain_time_nor_where_nobody_has_looked_for_long(
    monkeypatch: pytest.MonkeyPatch, within_s: float
):
    hub = make_hub()
    page = tab(hub, form=V1)
    stops = Drain(hub, within_s)
    stops.looked()
    if within_s:
        monkeypatch.setattr(drain, "LOOKED_WITHIN_S", 0.0)
    draining = asyncio.create_task(stops.run())
    await turns(5)
    assert page.sink.closed_with
    await draining


async def test_pages_that_cannot_be_told_are_closed_one_by_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "PAGES_PER_S", 1 / (20 * MS))
    hub = make_hub()
    pages = [tab(hub, form=PLAIN) for _ in range(5)]
    extended = tab(hub, form=V1)
    draining = asyncio.create_task(Drain(hub, LONG_S).run())
    began = monotonic()
    await turns(3)
    assert extended.sink.closed_with
    assert not pages[-1].sink.closed_with
    await draining
    assert monotonic() - began >= 3 * 20 * MS
    assert {(1012, "restarting")} == {page.sink.closed_with for page in pages}
    assert not any(page.sink.messages for page in pages)


async def test_others_have_their_turn_between_many_goodbyes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "MAX_HOLD_S", 0.0)
    hub = make_hub()
    pages = [tab(hub, form=form) for form in (V1, PLAIN) for _ in range(3)]
    draining = asyncio.create_task(Drain(hub, 0).run())
    closed = []
    while not draining.done():
        closed.append(sum(page.sink.closed_with is not None for page in pages))
        await asyncio.sleep(0)
    assert list(range(7)) == sorted(set(closed) | {6})


async def test_what_waits_for_its_turn_is_heard_before_the_goodbye():
    hub = make_hub()
    queue = hub.paced("prices", max_per_s=0.001)
    page = tab(hub, form=V1)
    for word in ("first", "last"):
        queue.publish(everyone, Update("#a", word, "beforeend"))
    await Drain(hub, LONG_S).run()
    assert ["first", "last"] == page.heard
    assert "drain" == page.sink.messages[-1]["type"]


async def test_what_cannot_be_sent_in_time_is_told_in_the_log_and_lengthens_nothing(logged: Callable[[], str]):
    hub = make_hub()
    page = tab(hub, form=V1)
    queue = hub.paced("prices", max_per_s=1)
    with journal_silent(hub):
        queue.broadcast("#a", "x")
        await Drain(hub, 20 * MS).run()
    assert '"waiting":{"prices":1}' in logged()
    assert page.sink.closed_with
    queue._task.cancel()


async def test_a_page_that_takes_nothing_is_closed_like_the_others():
    hub = make_hub()
    stalled, other = tab(hub, form=V1), tab(hub, form=V1)
    await turns(2)
    stalled.sink.accepts = 1
    await hub.publish(one(everyone, Update("#a", "x", "beforeend")))
    await turns(2)
    await Drain(hub, LONG_S).run()
    assert {(1012, "restarting")} == {stalled.sink.closed_with, other.sink.closed_with}
    assert 1000 * (FIRST_SLOT_S + MIN_SPREAD_S / 2) == slots_ms([other])[0]
    assert "drain" not in [message.get("type") for message in stalled.sink.messages]


async def test_who_comes_meanwhile_has_a_slot_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "MAX_HOLD_S", 0.0)
    hub = make_hub()
    tab(hub, form=V1)
    draining = asyncio.create_task(Drain(hub, LONG_S).run())
    await turns(1)
    late = tab(hub, form=V1)
    await draining
    assert [1000 * FIRST_SLOT_S] == slots_ms([late])


async def test_a_second_drain_finds_nothing_to_do():
    hub = make_hub()
    draining = Drain(hub, LONG_S)
    await draining.run()
    left_s = draining.left_s
    page = tab(hub, form=V1)
    await draining.run()
    assert not page.sink.closed_with
    assert 0 < draining.left_s <= left_s <= LONG_S


async def test_a_page_that_catches_up_is_told_behind_what_it_was_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(catch_up, "SHARE_BYTES", 300)
    page = await behind(make_hub(), 9)
    await eventually(lambda: page.heard)
    assert not page.is_live
    await Drain(page.hub, LONG_S).run()
    await page.done()
    assert ["hello", "drain"] == [message["type"] for message in page.sink.messages if "type" in message]
    assert "drain" == page.sink.messages[-1]["type"]
    assert (1012, "restarting") == page.sink.closed_with


async def test_a_page_that_was_not_greeted_yet_is_told_nothing_but_the_close():
    hub = make_hub()
    start = hub.cursor()
    await say(hub, "x")
    page = Returned(hub, Back(start))
    await Drain(hub, LONG_S).run()
    await page.done()
    assert ([], (1012, "restarting")) == (page.sink.messages, page.sink.closed_with)


async def test_who_leaves_while_others_are_told_is_told_nothing_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "MAX_HOLD_S", 0.0)
    hub = make_hub()
    pages = [tab(hub, form=V1) for _ in range(3)]
    stopping = asyncio.create_task(Drain(hub, LONG_S).run())
    await turns()
    assert pages[0].sink.closed_with is not None
    assert pages[-1].sink.closed_with is None
    heard = len(pages[-1].sink.messages)
    hub.disconnect(pages[-1].connection, 1001, "")
    await stopping
    assert heard == len(pages[-1].sink.messages)
