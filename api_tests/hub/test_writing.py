"""What one page alone is told does not wait for what all are told; who reads too slowly leaves without holding up the others."""

import asyncio
from collections import Counter

import pytest

from api_tests.hub.recording import Tab, make_hub, tab, turns
from api_tests.serving.test_stretches import Turns
from api_tests.waiting import eventually
from app.hub import leaving, writing
from app.hub.audience import everyone
from app.hub.close import Close
from app.hub.hub import Hub
from app.hub.publication import one
from app.wire.prepared import Prepared
from app.wire.update import Update

AN_HOUR_S = 3_600.0
ANSWER = Update("#answer", "an answer", "beforeend")


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of the loop has room for as little as can be."""
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    monkeypatch.setattr(writing, "HOLD_WHILE_ASKED_S", 0.0)
    monkeypatch.setattr(leaving, "MAX_HOLD_S", 0.0)


async def all_are_told(hub: Hub, html: str) -> None:
    await hub.publish(one(everyone, Update("#a", html, "beforeend")))


async def begun(pages: list[Tab]) -> None:
    """The first pages were written to, the last not."""
    while not pages[0].heard:
        await turns()
    assert not pages[-1].heard


@pytest.mark.usefixtures("short_stretches")
async def test_an_answer_goes_ahead_of_what_all_are_told_and_behind_what_its_page_was_told_before():
    hub = make_hub()
    pages = [tab(hub) for _ in range(10 * writing.CHECK_EVERY)]
    await all_are_told(hub, "to all")
    await begun(pages)
    hub.send(pages[-1].connection, ANSWER)
    await turns()
    assert ["to all", "an answer"] == pages[-1].heard
    assert not pages[-2].heard
    await eventually(lambda: all(page.heard == ["to all"] for page in pages[:-1]))
    assert ["to all", "an answer"] == pages[-1].heard


@pytest.mark.usefixtures("short_stretches")
async def test_answers_without_end_do_not_keep_what_all_are_told():
    hub = make_hub()
    asking = [tab(hub) for _ in range(4 * writing.CHECK_EVERY)]
    pages = [tab(hub) for _ in range(4 * writing.CHECK_EVERY)]
    await all_are_told(hub, "to all")
    publisher = asyncio.create_task(hub.delivery.writing.until_written())
    for _ in range(100):
        for page in asking:
            hub.send(page.connection, ANSWER)
        await turns()
    assert hub.delivery.writing.ahead
    assert publisher.done()
    assert all(page.heard == ["to all"] for page in pages)
    assert all(page.heard[:2] == ["to all", "an answer"] for page in asking)


@pytest.mark.usefixtures("short_stretches")
async def test_all_that_was_offered_is_written_when_that_was_waited_for_also_what_one_alone_is_told():
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    for page in pages:
        hub.send(page.connection, ANSWER)
    await all_are_told(hub, "to all")
    await hub.delivery.writing.until_written()
    assert all(page.heard == ["an answer", "to all"] for page in pages)


@pytest.mark.usefixtures("short_stretches")
async def test_a_page_that_takes_nothing_behind_its_answer_is_not_written_to_again_by_the_round():
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    full = pages[-1]
    await hub.delivery.writing.until_written()
    full.sink.accepts, full.sink.stuck_bytes = len(full.sink.writes), 500
    await all_are_told(hub, "to all")
    await begun(pages)
    hub.send(full.connection, ANSWER)
    await turns()
    assert full.connection.outbox.blocked
    hub.send(full.connection, ANSWER)
    await hub.delivery.writing.until_written()
    assert ["to all", "an answer"] == full.heard
    assert 500 + full.connection.outbox.queued_bytes == hub.delivery.held_bytes
    full.sink.accepts = 1_000
    hub.delivery.unblock(full.connection.outbox)
    await hub.delivery.writing.until_written()
    assert (["to all", "an answer", "an answer"], 0) == (full.heard, hub.delivery.held_bytes)


@pytest.mark.parametrize(("asked_s", "is_short"), [(AN_HOUR_S, True), (0.0, False)], ids=["lately", "long ago"])
async def test_stretches_are_short_while_pages_ask(monkeypatch: pytest.MonkeyPatch, asked_s: float, is_short: bool):
    monkeypatch.setattr(writing, "MAX_HOLD_S", AN_HOUR_S)
    monkeypatch.setattr(writing, "HOLD_WHILE_ASKED_S", 0.0)
    monkeypatch.setattr(writing, "ASKED_S", asked_s)
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    hub.send(pages[0].connection, ANSWER)
    await hub.delivery.writing.until_written()
    await all_are_told(hub, "to all")
    await turns()
    assert (writing.CHECK_EVERY if is_short else len(pages)) == sum("to all" in page.heard for page in pages)


class Clock:
    """Stands still but for what is written, each time for `write_s`."""

    def __init__(self) -> None:
        self.now = self.write_s = 0.0

    def passes_at(self, page: Tab) -> None:
        """While something is written to the page."""
        write = page.sink.write

        def timed(message: Prepared) -> bool:
            self.now += self.write_s
            return write(message)

        page.sink.write = timed


@pytest.mark.usefixtures("short_stretches")
async def test_a_stretch_has_few_writes_while_they_are_slow(monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    monkeypatch.setattr(writing, "monotonic", lambda: clock.now)
    fast_s, slow_s = 0.75 * writing.SLOW_WRITE_S, 1.25 * writing.SLOW_WRITE_S
    few, many = writing.CHECK_SLOW_EVERY, writing.CHECK_EVERY
    hub = make_hub()
    pages = [tab(hub) for _ in range(5 * many)]
    for page in pages:
        clock.passes_at(page)
    clock.write_s = slow_s
    await all_are_told(hub, "to all")
    await begun(pages)
    written = [sum(bool(page.heard) for page in pages)]
    for clock.write_s in (slow_s, fast_s, fast_s, slow_s, slow_s):
        await turns()
        written.append(sum(bool(page.heard) for page in pages) - sum(written))
    assert [many, few, few, many, many, few] == written


async def stalled(hub: Hub, count: int) -> list[Tab]:
    """So many pages whose outboxes are full: one message more is too much for all of them."""
    pages = [tab(hub, f"user{number}") for number in range(count)]
    await hub.delivery.writing.until_written()
    for page in pages:
        page.sink.accepts = 0
    await all_are_told(hub, "taken")
    await hub.delivery.writing.until_written()
    assert all(page.connection.outbox.blocked for page in pages)
    return pages


@pytest.mark.usefixtures("short_stretches")
async def test_many_that_are_too_slow_at_once_are_closed_in_many_turns_of_the_loop():
    hub = make_hub(outbox_bytes=1_000)
    pages, closed_in = await stalled(hub, 20), Counter[int]()
    passing = Turns()
    for page in pages:
        page.sink.close = lambda code, _reason: closed_in.update({passing.now: code == Close.SLOW.code})
    await all_are_told(hub, "x" * 2_000)
    await eventually(lambda: closed_in.total() == len(pages))
    passing.stop()
    assert {1} == set(closed_in.values())
    assert 0 == len(hub.registry)


@pytest.mark.usefixtures("short_stretches")
async def test_one_that_is_too_slow_hears_nothing_more_though_it_reads_before_it_is_closed():
    hub = make_hub(outbox_bytes=1_000)
    pages = await stalled(hub, 3)
    asyncio.get_running_loop().call_soon(lambda: [hub.delivery.unblock(page.connection.outbox) for page in pages])
    await all_are_told(hub, "x" * 2_000)
    for page in pages:
        page.sink.accepts = 1_000
    await all_are_told(hub, "later")
    hub.send(pages[-1].connection, ANSWER)
    await eventually(lambda: all(page.sink.closed_with == Close.SLOW.value for page in pages))
    assert [["taken"]] * 3 == [page.heard for page in pages]


@pytest.mark.usefixtures("short_stretches")
async def test_one_that_is_gone_before_it_is_closed_for_slowness_is_told_of_once():
    hub = make_hub(outbox_bytes=1_000)
    gone: list[str] = []
    hub.on_disconnection(lambda connection: gone.append(connection.id))
    (page,) = await stalled(hub, 1)
    await all_are_told(hub, "x" * 2_000)
    hub.disconnect(page.connection, 1006, "")
    await turns(5)
    hub.disconnect(page.connection, 1006, "")
    assert ([page.connection.id], 0, None) == (gone, hub.delivery.held_bytes, page.sink.closed_with)


@pytest.mark.usefixtures("short_stretches")
async def test_what_one_page_is_told_in_one_turn_counts_once_as_waiting():
    hub = make_hub()
    page = tab(hub)
    await hub.delivery.writing.until_written()
    for _ in range(2 * writing.MAX_AHEAD):
        hub.send(page.connection, ANSWER)
    assert 1 == hub.delivery.writing.ahead


async def test_one_that_is_too_slow_is_closed_at_once_where_somebody_else_closes_it():
    hub = make_hub(outbox_bytes=1_000)
    (page,) = await stalled(hub, 1)
    await all_are_told(hub, "x" * 2_000)
    hub.close(page.connection, Close.NOT_ALLOWED, "it is back by another connection")
    closed_with = (Close.NOT_ALLOWED.code, "it is back by another connection")
    assert (closed_with, 0) == (page.sink.closed_with, len(hub.registry))
    await turns(5)
    assert (closed_with, Close.NOT_ALLOWED) == (page.sink.closed_with, page.connection.closed_as)
