"""From a publication to sockets: encoded once, written once per turn, bounded for those who do not read."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from api_tests.hub.recording import PLAIN, V1, Tab, make_hub, tab, turns
from api_tests.waiting import eventually
from app.hub import receipts as receipts_module
from app.hub import writing
from app.hub.audience import Connections, everyone, roles, users
from app.hub.hub import Hub
from app.hub.publication import Part, Publication, one
from app.wire.update import Fragment, Update
from app.wire.wsx import dialect


def batch(*parts: tuple[object, Update]) -> Publication:
    return Publication("b1", tuple(Part(audience, update) for audience, update in parts), is_batch=True)


async def test_a_frame_is_made_once_per_dialect_and_shared():
    hub = make_hub()
    tabs = [tab(hub, form=form) for form in (PLAIN, PLAIN, V1, V1)]
    await turns()
    receipt = await hub.publish(one(everyone, Update("#a", "x")))
    await turns()
    assert (4, 4) == (receipt.matched, receipt.queued)
    assert tabs[0].sink.writes[-1] is tabs[1].sink.writes[-1]
    assert tabs[2].sink.writes[-1] is tabs[3].sink.writes[-1]
    assert {"id": receipt.id, "target": "#a", "html": "x", "swap": "innerHTML"} == tabs[0].sink.messages[-1]
    assert hub.journal.head() == tabs[2].sink.messages[-1]["cursor"]


async def test_one_turn_is_one_write_shared_by_those_who_hear_the_same():
    hub = make_hub()
    tabs = [tab(hub), tab(hub), tab(hub, "ada")]
    for word in ("1", "2"):
        await hub.publish(one(everyone, Update("#a", word, "beforeend")))
    await hub.publish(one(users("ada"), Update("#a", "3", "beforeend")))
    await turns()
    assert [1, 1, 1] == [len(one.sink.writes) for one in tabs]
    assert tabs[0].sink.writes[0] is tabs[1].sink.writes[0]
    assert [["1", "2"], ["1", "2"], ["1", "2", "3"]] == [one.heard for one in tabs]
    assert 3 == tabs[2].connection.sent_count


async def test_a_batch_is_one_message_of_just_what_a_page_may_hear_in_order():
    hub = make_hub()
    admin, ada, other_tab, nobody = tab(hub, "root", "admin"), tab(hub, "ada"), tab(hub, "ada"), tab(hub)
    form = dialect(extended=False, batch_as_oob=True)
    other_form = Tab(hub, admin.connection.user, form)
    said = batch(
        (everyone, Update("#a", "all")),
        (roles("admin"), Update("#b", "admins", oob=(Fragment("#c", "more"),))),
        (users("ada", "root"), Update("#d", "two")),
    )
    receipt = await hub.publish(said)
    await turns()
    assert (5, 5) == (receipt.matched, receipt.queued)
    assert ada.sink.writes[0] is other_tab.sink.writes[0]  # those who hear the same share one frame
    assert [["all", "admins", "more", "two"], ["all", "two"], ["all"]] == [one.heard for one in (admin, ada, nobody)]
    assert ["batch"] * 3 == [one.sink.messages[0]["type"] for one in (admin, ada, nobody)]
    (as_one,) = other_form.sink.messages
    assert ("#a", ["#b", "#c", "#d"]) == (as_one["target"], [part["target"] for part in as_one["oob"]])


async def test_several_parts_that_are_no_batch_look_like_an_update_to_who_hears_one():
    hub = make_hub()
    ada, bob = tab(hub, "ada"), tab(hub, "bob")
    parts = (Part(everyone, Update("#a", "all")), Part(users("ada"), Update("#b", "hers")))
    await hub.publish(Publication("p1", parts))
    await turns()
    assert ("batch", "#a") == (ada.sink.messages[0]["type"], bob.sink.messages[0]["target"])


async def test_a_full_socket_is_not_written_to_until_it_says_so():
    hub = make_hub()
    slow = tab(hub)
    slow.sink.accepts = 0
    for word in ("1", "2", "3"):
        await hub.publish(one(everyone, Update("#a", word, "beforeend")))
        await turns()
    assert (["1"], True) == (slow.heard, slow.connection.outbox.blocked)
    slow.sink.accepts = 1_000
    hub.delivery.unblock(slow.connection.outbox)
    await turns()
    assert (["1", "2", "3"], False) == (slow.heard, slow.connection.outbox.blocked)
    hub.delivery.unblock(slow.connection.outbox)
    await turns()
    assert 2 == len(slow.sink.writes)


async def test_of_those_who_stopped_at_different_times_each_is_shown_all_that_it_could_still_see():
    hub = make_hub()
    pages = [tab(hub, form=form) for form in (PLAIN, V1, V1, PLAIN) * 4]
    for place, page in enumerate(pages):
        page.sink.accepts = place % 6 or 1_000
    for number in range(8):
        receipt = await hub.publish(one(everyone, Update("#a", str(number), "beforeend" if number < 6 else "innerHTML")))
        await turns()
        assert (16, 16) == (receipt.matched, receipt.queued)
    for page in pages:
        page.sink.accepts = 1_000
        hub.delivery.unblock(page.connection.outbox)
    await turns()
    assert [[*"0123457"] if place % 6 else [*"01234567"] for place in range(16)] == [page.heard for page in pages]
    assert sum(8 - len(page.heard) for page in pages) == hub.delivery.superseded
    assert 0 == hub.delivery.held_bytes


async def test_what_is_thrown_away_for_one_is_not_counted_for_the_next_that_speaks_otherwise():
    hub = make_hub()
    plain, other = tab(hub, "ada", form=PLAIN), tab(hub, form=V1)
    await turns()
    for page in (plain, other):
        page.connection.outbox.blocked = True
    await hub.publish(one(users("ada"), Update("#a", "older")))
    await hub.publish(one(everyone, Update("#a", "newer")))
    assert 1 == hub.delivery.superseded
    assert [1, 1] == [page.connection.outbox.pending.count for page in (plain, other)]


async def test_unblocked_before_the_flush_of_the_same_turn():
    hub = make_hub()
    page = tab(hub)
    hub.send(page.connection, Update("#a", "1"))
    hub.delivery.unblock(page.connection.outbox)
    await turns()
    assert 1 == len(page.sink.writes)


async def test_who_reads_too_slowly_is_closed_with_1013_and_nobody_else():
    hub = make_hub(outbox_bytes=1_000)
    slow, fast = tab(hub, "ada"), tab(hub, "bob")
    slow.sink.accepts = 0
    receipts = []
    for _ in range(20):
        receipts.append(await hub.publish(one(everyone, Update("#a", "x" * 100, "beforeend"))))
        await turns()
    assert (1013, "too slow") == slow.sink.closed_with
    assert fast.sink.closed_with is None
    assert 20 == len(fast.heard)
    assert {(2, 2), (2, 1), (1, 1)} == {(receipt.matched, receipt.queued) for receipt in receipts}
    assert [fast.connection] == list(hub.registry)


async def test_the_bound_closes_in_a_batch_too():
    hub = make_hub(outbox_bytes=100)
    slow = tab(hub)
    slow.connection.outbox.blocked = True
    receipt = await hub.publish(batch((everyone, Update("#a", "x" * 200)), (everyone, Update("#b", "y"))))
    assert (1, 0) == (receipt.matched, receipt.queued)
    await eventually(lambda: (1013, "too slow") == slow.sink.closed_with)


async def test_a_long_flush_gives_the_loop_back_and_loses_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    hub = make_hub()
    tabs = [tab(hub) for _ in range(5 * writing.CHECK_EVERY)]
    await hub.publish(one(everyone, Update("#a", "1", "beforeend")))
    await turns()
    written = sum(len(one.sink.writes) for one in tabs)
    assert 0 < written < len(tabs)
    late = tab(hub)
    await hub.publish(one(everyone, Update("#a", "2", "beforeend")))
    await eventually(lambda: all(one.heard == ["1", "2"] for one in tabs) and late.heard == ["2"])


async def test_other_work_runs_while_many_are_written_to():
    hub = make_hub()
    tabs = [tab(hub) for _ in range(2_000)]
    write_s = 0.000_05
    for one_tab in tabs:
        one_tab.sink.write = lambda _message: time.sleep(write_s) or True
    await hub.publish(one(everyone, Update("#a", "1")))
    written = []  # in each turn: on a slow machine less
    while ahead := hub.delivery.writing.ahead:
        await asyncio.sleep(0)
        written.append(ahead - hub.delivery.writing.ahead)
    assert max(written) <= writing.MAX_HOLD_S / write_s + writing.CHECK_EVERY


async def test_a_flush_that_went_on_does_not_write_to_who_has_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    hub = make_hub()
    tabs = [tab(hub) for _ in range(3 * writing.CHECK_EVERY)]
    await hub.publish(one(everyone, Update("#a", "1")))
    await turns()
    left = tabs[-1]
    assert not left.sink.writes
    hub.close(left.connection)
    assert ["1"] == left.heard
    await eventually(lambda: all(one.heard == ["1"] for one in tabs))


async def test_a_socket_that_breaks_is_dropped_and_keeps_nothing_from_the_others(logged: Callable[[], str]):
    hub = make_hub()
    before, broken, after = tab(hub), tab(hub), tab(hub)
    broken.sink.is_broken = True
    for word in ("1", "2"):
        await hub.publish(one(everyone, Update("#a", word, "beforeend")))
        await turns()
    assert (["1", "2"], ["1", "2"], True) == (before.heard, after.heard, broken.sink.is_aborted)
    assert "socket write failed" in logged()


async def test_a_socket_that_cannot_even_be_dropped_keeps_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch):
    hub = make_hub()
    broken, page = tab(hub), tab(hub)
    broken.sink.is_broken = True
    monkeypatch.setattr(broken.sink, "abort", lambda: broken.sink.write(None))
    for word in ("1", "2"):
        await hub.publish(one(everyone, Update("#a", word, "beforeend")))
        await hub.delivery.writing.until_written()
    assert (["1", "2"], 0) == (page.heard, hub.delivery.writing.ahead)


async def test_a_flush_that_fails_goes_on_in_the_next_turn(monkeypatch: pytest.MonkeyPatch):
    hub = make_hub()
    tabs = [tab(hub) for _ in range(3 * writing.CHECK_EVERY)]
    real, failures = hub.delivery.writing.write, []

    def fail_once(outboxes: object) -> None:
        if not failures:
            failures.append(outboxes)
            raise MemoryError
        real(outboxes)

    monkeypatch.setattr(hub.delivery.writing, "write", fail_once)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await hub.publish(one(everyone, Update("#a", "1", "beforeend")))
    await hub.delivery.writing.until_written()
    assert [["1"]] * (2 * writing.CHECK_EVERY) == [page.heard for page in tabs[writing.CHECK_EVERY :]]


async def test_more_publications_at_once_than_receipts_are_kept_all_have_theirs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receipts_module, "KEPT", 10)
    hub = make_hub()
    page = tab(hub)
    many = [one(everyone, Update("#a", str(number), "beforeend")) for number in range(2 * writing.MAX_JOINED)]
    receipts = await asyncio.gather(*map(hub.publish, many))
    assert [(said.id, 1, 1) for said in many] == receipts
    assert len(many) == len(page.heard)


def drop(hub: Hub, page: Tab) -> None:
    page.connection.outbox.close()
    assert hub.registry.get(page.connection.id)


async def test_a_connection_that_leaves_counts_as_matched_and_not_as_queued():
    hub = make_hub()
    page = tab(hub)
    drop(hub, page)
    assert (1, 0) == (await hub.publish(one(Connections(frozenset({page.connection.id})), Update("#a", "1"))))[1:]
    await turns()
    assert not page.sink.writes


async def test_html_arrives_as_it_was_given():
    hub = make_hub()
    page = tab(hub)
    html = '<b title="\u2028 \U0001f600">\x7f&</b>'
    await hub.publish(one(everyone, Update("#a", html)))
    await turns()
    assert html == json.loads(page.sink.writes[0].payloads[0])["html"]
