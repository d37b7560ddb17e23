"""Catching up, turn by turn: against journals that wait or are ahead, sockets that are slow, and rooms that take their time."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from api_tests.hub.recording import V1, RecordingSink, make_hub, turns
from app.hub import catch_up as module
from app.hub.audience import everyone, rooms, users
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.publication import encode, one
from app.hub.returning import Back
from app.hub.sessions import Kept
from app.journal.memory import MemoryJournal
from app.journal.port import Entry
from app.kernel.identity import User
from app.wire.update import Update

ADA = User("ada", "Ada")


class Returned:
    """A page that is back."""

    def __init__(self, hub: Hub, back: Back, user: User | None = ADA, *, accepts: int = 1_000) -> None:
        self.hub = hub
        self.sink = RecordingSink()
        self.sink.accepts = accepts
        self.connection = hub.connect(self.sink, V1, user, address="", user_agent="", back=back)

    @property
    def heard(self) -> list[str]:
        return [message["html"] for message in self.sink.messages if "html" in message]

    @property
    def is_live(self) -> bool:
        return self.connection.outbox.catch_up is None and not self.connection.outbox.closed

    async def done(self) -> None:
        async with asyncio.timeout(5):
            while self.hub.returning.running:
                await turns()
            await turns(2)


async def say(hub: Hub, *texts: str, target: str = "#a") -> None:
    for text in texts:
        await hub.publish(one(everyone, Update(target, text, "beforeend")))


class AheadJournal(MemoryJournal):
    """As one of a cluster: `read` waits, and returns what this node has not delivered yet."""

    def __init__(self) -> None:
        super().__init__(100)
        self.elsewhere: list[Entry] = []
        self.is_empty = self.is_broken = False
        self.reading = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def append_elsewhere(self, text: str) -> None:
        """Another node has published."""
        place = self._place + len(self.elsewhere) + 1
        self.elsewhere.append(Entry(f"{self._epoch}-{place:012x}", encode(one(everyone, Update("#a", text, "beforeend")))))

    async def deliver(self) -> None:
        """It has reached this node."""
        for entry in self.elsewhere:
            await self.append(entry.payload)
        self.elsewhere.clear()

    async def read(self, after: str, limit: int) -> Sequence[Entry]:
        self.reading.set()
        await self.may_read.wait()
        if self.is_broken:
            raise ConnectionError
        if self.is_empty:
            return []
        return [*await super().read(after, limit), *self.elsewhere][:limit]


@pytest.fixture
def ahead() -> tuple[Hub, AheadJournal]:
    journal = AheadJournal()
    return Hub(journal, outbox_bytes=65_536), journal


async def test_what_this_node_has_not_delivered_yet_is_left_to_come_when_it_is(ahead):
    hub, journal = ahead
    start = hub.cursor()
    await say(hub, "1")
    await journal.append_elsewhere("2")
    page = Returned(hub, Back(start))
    await page.done()
    assert (["1"], True) == (page.heard, page.is_live)
    await journal.deliver()
    await turns()
    assert ["1", "2"] == page.heard


async def test_what_is_published_while_it_reads_comes_once_and_in_its_place(ahead):
    hub, journal = ahead
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


async def test_a_journal_that_has_lost_something_in_the_middle_closes_it_to_come_back(ahead):
    hub, journal = ahead
    start = hub.cursor()
    await say(hub, "1")
    journal.is_empty = True
    page = Returned(hub, Back(start))
    await page.done()
    assert (Close.SLOW.code, "too slow") == page.sink.closed_with


async def test_a_journal_that_fails_closes_it_to_come_back_and_that_is_logged(ahead, logged: Callable[[], str]):
    hub, journal = ahead
    start = hub.cursor()
    await say(hub, "1")
    journal.is_broken = True
    page = Returned(hub, Back(start))
    await page.done()
    assert Close.SLOW.code == page.sink.closed_with[0]
    assert "catching up failed" in logged()


async def test_one_that_leaves_while_the_journal_is_read_is_forgotten(ahead):
    hub, journal = ahead
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
    hub = make_hub()
    start = hub.cursor()
    await say(hub, *["x" * 200] * 20)
    page = Returned(hub, Back(start), accepts=0)
    page.sink.stuck_bytes = 400
    await turns(20)
    assert not page.is_live
    await say(hub, *["y"] * 100)
    hub.delivery.unblock(page.connection.outbox)
    await page.done()
    assert (Close.SLOW.code, 0) == (page.sink.closed_with[0], hub.delivery.held_bytes)


@pytest.mark.usefixtures("small_shares")
async def test_one_that_takes_nothing_is_closed_as_slow_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_WAIT_S", 0.02)
    hub = make_hub()
    start = hub.cursor()
    await say(hub, *["x" * 200] * 20)
    page = Returned(hub, Back(start), accepts=0)
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


async def test_too_much_that_is_sent_past_the_journal_closes_it_as_slow(ahead):
    hub, journal = ahead
    start = hub.cursor()
    await say(hub, "1")
    journal.may_read.clear()
    page = Returned(hub, Back(start))
    await journal.reading.wait()
    for _ in range(3):
        page.connection.send(Update("#a", "x" * 30_000, "beforeend"))
    assert Close.SLOW.code == page.sink.closed_with[0]
    assert 0 == hub.delivery.held_bytes
    journal.may_read.set()
    await page.done()


async def test_a_gap_names_the_targets_that_are_known_unless_they_are_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "STEP", 3)
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
    assert hub.is_within_reach("ada")
    hub.disconnect(page.connection, 1006, "")
    assert [True, False] == [hub.is_within_reach(name) for name in ("ada", "bob")]
    assert users("ada") == hub.without_absent(users("ada", "bob"))
