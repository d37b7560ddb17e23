"""What waits for sockets that take nothing is bounded over all of them; and a publisher is never far ahead of the sockets."""

import asyncio

import pytest

from api_tests.hub.recording import Tab, make_hub, tab, turns
from api_tests.waiting import eventually
from app.hub import writing
from app.hub.audience import everyone, users
from app.hub.close import Close
from app.hub.hub import Hub
from app.hub.publication import one
from app.wire.update import Update


async def tell(hub: Hub, *user_ids: str, size: int = 100) -> None:
    await hub.publish(one(users(*user_ids) if user_ids else everyone, Update("#a", "x" * size, "beforeend")))
    await turns()


async def stalled(hub: Hub, user_id: str) -> Tab:
    """A page that takes one message into its socket, and no more."""
    page = tab(hub, user_id)
    page.sink.accepts = 0
    await tell(hub, user_id)
    assert page.connection.outbox.blocked
    return page


async def begun(pages: list[Tab]) -> None:
    """The first pages were written to, the last not."""
    while not pages[0].heard:
        await turns()
    assert not pages[-1].heard


async def test_what_waits_is_counted_and_what_is_taken_is_not():
    hub = make_hub()
    slow, _fast = await stalled(hub, "ada"), tab(hub, "bob")
    assert 0 == hub.delivery.held_bytes
    await tell(hub)
    await tell(hub)
    assert 2 * 100 < slow.connection.outbox.queued_bytes == hub.delivery.held_bytes
    slow.sink.accepts = 1_000
    hub.delivery.unblock(slow.connection.outbox)
    await turns()
    assert (0, 3) == (hub.delivery.held_bytes, len(slow.heard))


async def test_what_the_socket_could_not_pass_on_counts_too():
    hub = make_hub()
    page = tab(hub, "ada")
    page.sink.accepts, page.sink.stuck_bytes = 0, 70_000
    await tell(hub)
    assert 70_000 == hub.delivery.held_bytes
    hub.delivery.unblock(page.connection.outbox)
    assert 0 == hub.delivery.held_bytes


@pytest.mark.parametrize("how", ["closed by us", "gone"])
async def test_what_waits_for_who_has_left_is_forgotten(how: str):
    hub = make_hub()
    page = await stalled(hub, "ada")
    await tell(hub)
    if how == "gone":
        hub.disconnect(page.connection, 1006, "")
    else:
        hub.close(page.connection)
    assert (0, 0) == (hub.delivery.held_bytes, page.connection.outbox.queued_bytes)
    hub.delivery.unblock(page.connection.outbox)
    await tell(hub)
    assert (0, 1) == (hub.delivery.held_bytes, len(page.heard))


async def test_what_a_newer_update_replaces_counts_no_longer():
    hub = make_hub()
    await stalled(hub, "ada")
    for size in (300, 200, 100):
        await hub.publish(one(everyone, Update("#a", "x" * size)))
    assert 100 < hub.delivery.held_bytes < 200


async def test_over_the_total_the_fullest_is_closed_with_1013_and_nobody_else():
    hub = make_hub(total_bytes=3_000)
    fuller, full, healthy = await stalled(hub, "ada"), await stalled(hub, "bob"), tab(hub, "cleo")
    await tell(hub, "ada", size=1_500)
    await tell(hub, "bob", size=1_000)
    assert hub.delivery.held_bytes <= 3_000
    await tell(hub, "bob", size=300)
    assert (Close.SLOW.code, None, None) == (
        fuller.sink.closed_with and fuller.sink.closed_with[0],
        full.sink.closed_with,
        healthy.sink.closed_with,
    )
    assert 1_300 < hub.delivery.held_bytes == full.connection.outbox.queued_bytes


async def test_a_broadcast_that_goes_over_the_total_still_reaches_the_others():
    hub = make_hub(total_bytes=20_000)
    slow = [await stalled(hub, f"u{number}") for number in range(30)]
    fast = [tab(hub) for _ in range(10)]
    receipt = await hub.publish(one(everyone, Update("#a", "x" * 1_000, "beforeend")))
    await turns()
    closed = sum(page.sink.closed_with is not None for page in slow)
    assert 10 <= closed < 20
    assert 40 == receipt.matched
    assert hub.delivery.held_bytes <= 20_000
    assert [1] * 10 == [len(page.heard) for page in fast]


async def test_the_total_is_kept_when_sockets_fill_while_they_are_written_to():
    hub = make_hub(total_bytes=1_000)
    pages = [tab(hub) for _ in range(4)]
    for page in pages:
        page.sink.accepts, page.sink.stuck_bytes = 0, 400
    await tell(hub)
    await eventually(lambda: 2 == sum(page.sink.closed_with is not None for page in pages))
    assert 800 == hub.delivery.held_bytes


async def test_a_page_that_a_broadcast_closes_over_the_total_is_not_counted_as_reached():
    hub = make_hub(total_bytes=1_000)
    await stalled(hub, "ada")
    tab(hub, "bob")
    receipt = await hub.publish(one(everyone, Update("#a", "x" * 2_000, "beforeend")))
    assert (2, 1) == (receipt.matched, receipt.queued)


async def test_one_that_is_over_the_total_all_alone_is_closed():
    hub = make_hub(total_bytes=1_000)
    page = tab(hub)
    page.sink.accepts, page.sink.stuck_bytes = 0, 2_000
    await tell(hub)
    await eventually(lambda: page.sink.closed_with is not None)
    assert (Close.SLOW.code, 0) == (page.sink.closed_with[0], hub.delivery.held_bytes)


async def test_what_is_stuck_in_a_socket_that_was_closed_counts_until_it_is_gone():
    hub = make_hub()
    page, healthy = tab(hub, "ada"), tab(hub, "bob")
    page.sink.accepts, page.sink.stuck_bytes = 0, 400
    await tell(hub)
    await tell(hub)
    hub.close(page.connection)
    hub.close(healthy.connection)
    assert 400 == hub.delivery.held_bytes
    hub.disconnect(page.connection, Close.BACK_OFFICE.code, "")
    assert 0 == hub.delivery.held_bytes


async def test_over_the_total_those_who_are_leaving_are_cut_first_and_only_as_many_as_it_takes():
    hub = make_hub(total_bytes=1_000)
    pages = [tab(hub, name) for name in ("ada", "bob", "cleo")]
    for page, stuck_bytes in zip(pages, (200, 400, 300), strict=True):
        page.sink.accepts, page.sink.stuck_bytes = 0, stuck_bytes
    await tell(hub)
    hub.close(pages[0].connection)
    hub.close(pages[1].connection)
    assert 900 == hub.delivery.held_bytes
    await tell(hub, "cleo")
    assert ([False, True, False], None) == ([page.sink.is_aborted for page in pages], pages[2].sink.closed_with)
    assert 500 == hub.delivery.held_bytes - pages[2].connection.outbox.queued_bytes
    hub.disconnect(pages[1].connection, 1006, "")
    assert 500 == hub.delivery.held_bytes - pages[2].connection.outbox.queued_bytes


async def test_who_is_closed_over_the_total_may_read_why_while_there_is_room_for_it():
    hub = make_hub(total_bytes=1_000)
    pages = [tab(hub, name) for name in ("ada", "bob")]
    for page in pages:
        page.sink.accepts, page.sink.stuck_bytes = 0, 300
    await tell(hub)
    await tell(hub, "ada", size=250)
    await tell(hub, "bob", size=250)
    assert ([Close.SLOW.code, None], [False, False]) == (
        [page.sink.closed_with and page.sink.closed_with[0] for page in pages],
        [page.sink.is_aborted for page in pages],
    )
    assert 600 == hub.delivery.held_bytes - pages[1].connection.outbox.queued_bytes


async def test_a_publisher_waits_while_many_are_still_to_be_written_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    monkeypatch.setattr(writing, "MAX_AHEAD", 100)
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    await hub.publish(one(everyone, Update("#a", "1", "beforeend")))
    assert [1] * len(pages) == [len(page.heard) for page in pages]


async def test_one_who_publishes_in_the_middle_of_a_round_waits_for_the_end_of_the_next(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    monkeypatch.setattr(writing, "MAX_AHEAD", 100)
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    first = asyncio.create_task(hub.publish(one(everyone, Update("#a", "1", "beforeend"))))
    await begun(pages)
    second = asyncio.create_task(hub.publish(one(everyone, Update("#a", "2", "beforeend"))))
    await first
    assert (["1", "2"], 1) == (pages[-1].heard, len(pages[-1].sink.writes))
    assert not second.done()
    await second
    assert [["1", "2"]] * len(pages) == [page.heard for page in pages]


async def test_one_whose_hearers_are_all_still_to_come_is_done_with_this_round(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    monkeypatch.setattr(writing, "MAX_AHEAD", 100)
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    last = tab(hub, "ada")
    first = asyncio.create_task(hub.publish(one(everyone, Update("#a", "1", "beforeend"))))
    await begun(pages)
    await hub.publish(one(users("ada"), Update("#a", "2", "beforeend")))
    assert ["1", "2"] == last.heard
    await first


async def test_one_who_no_longer_waits_keeps_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    monkeypatch.setattr(writing, "MAX_AHEAD", 100)
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    both = [asyncio.create_task(hub.publish(one(everyone, Update("#a", word, "beforeend")))) for word in "12"]
    await turns()
    both[0].cancel()
    await both[1]
    assert [["1", "2"]] * len(pages) == [page.heard for page in pages]


async def test_publishers_wait_when_very_many_publish_at_once():
    hub = make_hub()
    page = tab(hub)
    publishers = [
        asyncio.create_task(hub.publish(one(everyone, Update("#a", str(number), "beforeend"))))
        for number in range(writing.MAX_JOINED + 10)
    ]
    await turns()
    assert (writing.MAX_JOINED, 0) == (sum(publisher.done() for publisher in publishers), len(page.heard))
    await turns(3)
    assert all(publisher.done() for publisher in publishers)
    assert [str(number) for number in range(len(publishers))] == page.heard


async def test_publishers_of_what_nobody_hears_never_wait():
    hub = make_hub()
    for _ in range(2 * writing.MAX_JOINED):
        await hub.publish(one(everyone, Update("#a", "x")))
