"""What a hub counts for operators, beside its work."""

import asyncio

import pytest

from api_tests.hub.recording import V1, make_hub, tab, turns
from app.hub import writing
from app.hub.audience import everyone, users
from app.hub.publication import encode, one
from app.journal.port import Entry
from app.kernel.histogram import Histogram
from app.wire.update import Update


def values(histogram: Histogram) -> int:
    return sum(histogram.counts)


async def test_bytes_are_those_of_all_that_was_given_to_sockets():
    hub = make_hub()
    tabs = [tab(hub), tab(hub, "ada", form=V1), tab(hub, "bob")]
    tabs[2].sink.accepts = 0  # it takes one write, and holds the next
    for _ in range(3):
        await hub.publish(one(everyone, Update("#a", "x", "beforeend")))
        await turns()
    given = [sum(len(write.data) for write in one.sink.writes) for one in tabs]
    assert sum(given) == hub.delivery.writing.sent_bytes
    assert given[2] < given[0]


async def test_what_newer_updates_make_invisible_is_counted_for_each_page():
    hub = make_hub()
    tabs = [tab(hub), tab(hub), tab(hub, "ada")]
    tabs[2].connection.outbox.blocked = True
    for word in ("1", "2", "3"):
        await hub.publish(one(everyone, Update("#a", word)))
    assert 3 * 2 == hub.delivery.superseded
    await hub.publish(one(everyone, Update("#b", "4")))
    await hub.publish(one(users("ada"), Update("#b", "5")))
    assert 3 * 2 + 1 == hub.delivery.superseded
    await turns()
    assert [["3", "4"]] * 2 == [one.heard for one in tabs[:2]]


async def test_refused_updates_are_those_that_were_to_be_heard_and_were_not_taken():
    hub = make_hub(outbox_bytes=200)
    tabs = [tab(hub), tab(hub)]
    tabs[1].connection.outbox.blocked = True
    for _ in range(5):
        await hub.publish(one(everyone, Update("#a", "x" * 100, "beforeend")))
        await turns()
    assert 1 == hub.receipts.refused  # after it the page is closed, and hears nothing
    assert len(tabs[0].heard) + len([tabs[1]]) == hub.receipts.queued


async def test_the_time_of_a_publication_ends_with_its_last_write(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)  # each stretch of writing is as short as can be
    hub = make_hub()
    for _ in range(3 * writing.CHECK_EVERY):
        tab(hub)
    await hub.delivery.writing.until_written()
    publishing = asyncio.create_task(hub.publish(one(everyone, Update("#a", "x"))))
    await turns(2)
    assert publishing.done()
    while hub.delivery.writing.ahead:
        assert 0 == values(hub.latency.here)
        await turns()
    assert (1, 0) == (values(hub.latency.here), values(hub.latency.elsewhere))


async def test_what_is_published_during_a_round_is_timed_to_the_end_of_the_next():
    hub = make_hub()
    tab(hub)
    await hub.delivery.writing.until_written()
    first, second = (encode(one(everyone, Update("#a", word, "beforeend"))) for word in "12")
    hub.deliver_local(Entry("c", first))
    await turns()
    hub.deliver_local(Entry("c", second))
    assert 1 == values(hub.latency.elsewhere)
    await turns()
    assert (0, 2) == (values(hub.latency.here), values(hub.latency.elsewhere))


async def test_what_nobody_is_written_takes_no_time():
    hub = make_hub()
    stalled = tab(hub)
    await turns()
    stalled.connection.outbox.blocked = True
    await hub.publish(one(everyone, Update("#a", "x")))
    await hub.publish(one(users("nobody"), Update("#a", "x")))
    other = tab(hub)
    await hub.publish(one(users("nobody"), Update("#a", "x")))
    await turns()
    assert 0 == values(hub.latency.here)
    assert [] == other.heard
