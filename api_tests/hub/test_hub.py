"""The hub: connections that come and go, last words, receipts."""

from collections.abc import Callable

import pytest

from api_tests.hub.recording import V1, make_hub, tab, turns
from app.hub import receipts as receipts_module
from app.hub.audience import everyone, rooms, users
from app.hub.close import Close
from app.hub.publication import Leaving, Part, Publication, one
from app.kernel.transaction import PublishedInsideTransaction, marked_open
from app.wire.update import Update


async def test_hello_is_the_first_thing_that_is_heard():
    hub = make_hub()
    greeted = []

    @hub.on_connection
    def greet(connection) -> None:
        connection.send(Update("#a", "hi"))
        greeted.append(connection)

    page = tab(hub, form=V1)
    await turns()
    hello, update = page.sink.messages
    assert ("hello", page.connection.id, False) == (hello["type"], hello["connection"], hello["resumed"])
    assert ("hi", [page.connection]) == (update["html"], greeted)
    assert 1 == len(page.sink.writes)


async def test_what_was_said_before_the_close_is_heard_and_nothing_after():
    hub = make_hub()
    page = tab(hub, "ada")
    await hub.publish(one(everyone, Update("#a", "last words")))
    page.connection.close(Close.NOT_ALLOWED, "your shop has closed")
    page.connection.close()
    page.connection.send(Update("#a", "too late"))
    receipt = await hub.publish(one(everyone, Update("#a", "too late")))
    await turns()
    assert (0, ["last words"]) == (receipt.matched, page.heard)
    assert (4403, "your shop has closed") == page.sink.closed_with


async def test_last_words_do_not_go_to_a_socket_that_is_full():
    hub = make_hub()
    page = tab(hub)
    page.sink.accepts = 0
    for word in ("1", "2"):
        page.connection.send(Update("#a", word, "beforeend"))
        await turns()
    page.connection.close()
    assert (["1"], (4409, "closed by the back office")) == (page.heard, page.sink.closed_with)


async def test_the_end_is_told_once_whoever_began_it(logged: Callable[[], str]):
    hub = make_hub()
    gone = []
    hub.on_disconnection(gone.append)
    closed, left = tab(hub, "ada"), tab(hub)
    closed.connection.close()
    assert not gone
    for page in (closed, left, closed, left):
        hub.disconnect(page.connection, 1001, "")
    assert [closed.connection, left.connection] == gone
    assert all(page.connection.closed_at for page in (closed, left))
    lines = logged()
    assert 2 == lines.count('"connection closed"')
    assert '"user":"ada"' in lines


async def test_at_the_end_the_journal_is_followed_no_longer():
    hub = make_hub()
    hub.stop()
    assert not hub.journal._followers._followers


async def test_receipts_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receipts_module, "KEPT", 2)
    hub = make_hub()
    receipts = [await hub.publish(one(everyone, Update("#a", "x"))) for _ in range(3)]
    assert [None, *receipts[1:]] == [hub.receipts.get(receipt.id) for receipt in receipts]


async def test_nothing_is_told_of_what_may_be_rolled_back():
    hub = make_hub()
    with marked_open(), pytest.raises(PublishedInsideTransaction, match="Move the call behind"):
        await hub.publish(one(everyone, Update("#a", "x")))
    assert hub.journal.head().endswith("-000000000000")


def test_notes_of_handlers_are_made_at_first_use():
    page = tab(make_hub(), "ada")
    assert page.connection._session is None
    page.connection.session["seen"] = 1
    assert {"seen": 1} == page.connection.session
    assert f"<Connection {page.connection.id} user=ada>" == repr(page.connection)


@pytest.mark.parametrize("why", list(Close))
def test_every_reason_fits_into_a_close_frame(why: Close):
    assert len(why.reason.encode()) <= 123
    assert why.code in {1002, *range(1007, 1014), *range(4400, 4500)}


async def test_a_socket_that_breaks_at_its_last_words_is_closed_all_the_same(logged: Callable[[], str]):
    hub = make_hub()
    broken, other = tab(hub, "ada"), tab(hub, "bob")
    for page in (broken, other):
        page.connection.send(Update("#a", "last words"))
    broken.sink.is_broken = True
    for page in (broken, other):
        hub.close(page.connection, Close.RESTARTING)
    assert (True, (1012, "restarting")) == (broken.sink.is_aborted, broken.sink.closed_with)
    assert (["last words"], (1012, "restarting"), 0) == (other.heard, other.sink.closed_with, len(hub.registry))
    assert "socket write failed" in logged()


async def test_several_updates_for_one_page_are_one_message():
    hub = make_hub()
    page, other = tab(hub), tab(hub)
    hub.send_batch(page.connection, [Update("#a", "1"), Update("#b", "2")])
    await turns()
    (message,) = page.sink.messages
    assert ("batch", ["#a", "#b"]) == (message["type"], [update["target"] for update in message["updates"]])
    assert ([], 1) == (other.sink.messages, page.connection.sent_count)


async def test_who_is_put_out_of_a_room_by_a_publication_hears_it_and_then_no_more_of_the_room():
    hub = make_hub()
    put_out, stays = tab(hub, "ada"), tab(hub, "bob")
    for page in (put_out, stays):
        hub.registry.join(page.connection, "lobby")
    last = Part(rooms("lobby"), Update("#a", "last"))
    await hub.publish(Publication("1", (last,), leaving=Leaving(users("ada"), "lobby")))
    await hub.publish(one(rooms("lobby"), Update("#a", "after", "beforeend")))
    await turns()
    assert (["last"], ["last", "after"]) == (put_out.heard, stays.heard)
