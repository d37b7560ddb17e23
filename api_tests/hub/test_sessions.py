"""What ended connections had: kept for a while, given back once, to the same user, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from api_tests.hub.recording import PLAIN, V1, make_hub, tab
from app.hub import sessions as module
from app.hub.absent import JustLeft
from app.hub.close import Close
from app.hub.returning import MAX_CURSOR_CHARS
from app.hub.sessions import Kept, MemorySessions, Origin, SessionIds, Taken, what_is_left


def kept(connection_id: str, *, user_id: str | None = "ada", rooms: tuple[str, ...] = (), notes: bytes = b"") -> Kept:
    return Kept(connection_id, user_id, dict.fromkeys(rooms, "1"), notes)


@dataclass(frozen=True)
class Hashed:
    """Can be written down, and as a key not be read again."""

    number: int


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


async def take(sessions: MemorySessions, name: str) -> bool:
    """Whether it is there."""
    found = await sessions.take(Origin(name, "node0001"), "ada")
    assert found == Origin(name, "node0001") or (isinstance(found, Taken) and found.kept.connection_id == name)
    return isinstance(found, Taken)


async def test_an_old_session_is_gone_and_removed_when_another_one_comes(clock: list[float]):
    sessions = MemorySessions(120)
    sessions.keep(kept("a"))
    sessions.keep(kept("b"))
    clock[0] += 121
    assert not await take(sessions, "a")
    assert 1 == len(sessions)
    sessions.keep(kept("c"))
    assert 1 == len(sessions)


async def test_there_are_no_more_than_so_many_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_SESSIONS", 2)
    sessions = MemorySessions(120)
    for name in "abc":
        sessions.keep(kept(name))
    assert [False, True] == [await take(sessions, name) for name in "ac"]


async def test_there_are_no_more_bytes_than_these_in_all():
    sessions = MemorySessions(120, max_bytes=1_000)
    for number in range(20):
        sessions.keep(kept(str(number), rooms=("lobby",), notes=b"x" * 100))
    assert (4, 4 * 205) == (len(sessions), sessions._bytes)
    sessions.keep(kept("huge", notes=b"x" * 1_001))
    assert (0, 0) == (len(sessions), sessions._bytes)


def test_an_id_of_a_session_is_that_of_its_connection_and_cannot_be_made_by_others():
    ids, others = SessionIds("node0001", b"k" * 32), SessionIds("node0001")
    session = ids.of("connection")
    for reader in (ids, SessionIds("node0002", b"k" * 32)):
        assert Origin("connection", "node0001") == reader.read(session)
    moved = session.replace("node0001", "node0002")
    for forged in ("connection", others.of("connection"), session[:-1] + "x", moved, "", "ü", ids.of("c" * 200)):
        assert None is ids.read(forged)


async def test_notes_come_back_as_they_were():
    page = tab(make_hub(), "ada", form=V1).connection
    notes = {"n": 1, "list": [1.5, None, True], "text": "ü", "bytes": b"x", 7: {"deep": {}}, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    page.session.update(notes)
    left = what_is_left(page)
    assert left is not None
    assert notes == left.notes_again()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "cannot be kept"),
        ({Hashed(1): 1}, "cannot be kept"),
        ("x" * 20_000, "too long"),
        (1 << 80, "cannot be kept"),
        ("\ud800", "cannot be kept"),
    ],
)
async def test_notes_that_cannot_be_written_down_are_left_out_and_that_is_logged(
    value: object, why: str, logged: Callable[[], str]
):
    page = tab(make_hub(), "ada", form=V1).connection
    page.session["x"] = value
    left = what_is_left(page)
    assert left is not None
    assert b"" == left.notes
    assert why in logged()


async def test_who_knows_no_sessions_leaves_none_nor_does_who_was_sent_away():
    hub = make_hub()
    assert what_is_left(tab(hub, form=PLAIN).connection) is None
    coming_back = {Close.RESTARTING, Close.SLOW, Close.NOT_CAUGHT_UP, Close.TOO_BIG, Close.MALFORMED, Close.IDLE}
    for why in Close:
        page = tab(hub, form=V1)
        page.connection.close(why)
        assert (why in coming_back) == (what_is_left(page.connection) is not None), why


async def test_after_two_minutes_only_that_comes_back_which_needs_no_session(clock: list[float]):
    hub = make_hub()
    in_room, in_none = tab(hub, "ada", form=V1), tab(hub, "ada", form=V1)
    hub.registry.join(in_room.connection, "lobby")
    in_none.connection.session["n"] = 1
    for page in (in_room, in_none):
        hub.disconnect(page.connection, 1006, "")
    clock[0] += 121
    backs = [
        await hub.returning.recognise("c" * 100, hub.returning.ids.of(page.connection.id), page.connection.user)
        for page in (in_room, in_none)
    ]
    assert [("c" * MAX_CURSOR_CHARS, False, {}, b""), ("c" * MAX_CURSOR_CHARS, True, {}, b"")] == [
        (back.cursor, back.is_known, back.kept.rooms, back.kept.notes) for back in backs if back.kept is not None
    ]


async def test_a_store_that_fails_is_a_session_that_is_not_there(logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch):
    async def fail(*_: object) -> None:
        raise ConnectionError

    hub = make_hub()
    page = tab(hub, "ada", form=V1)
    hub.disconnect(page.connection, 1006, "")
    monkeypatch.setattr(MemorySessions, "take", fail)
    back = await hub.returning.recognise(None, hub.returning.ids.of(page.connection.id), page.connection.user)
    assert (None, False) == (back.kept, back.is_known)
    assert "session not found" in logged()


def test_users_who_have_just_left_are_known_for_a_while(monkeypatch: pytest.MonkeyPatch):
    now = [1_000.0]
    monkeypatch.setattr("app.hub.absent.monotonic", lambda: now[0])
    left = JustLeft(within_s=300)
    left.add("ada")
    now[0] += 299
    left.add("bob")
    left.add("ada")
    assert ({"ada", "bob"}, True, False) == (left.among({"ada", "bob", "cleo"}), "ada" in left, "cleo" in left)
    now[0] += 2
    left.add("cleo")
    now[0] += 299
    left.add("dora")
    assert ({"cleo", "dora"}, 2) == (left.among({"ada", "bob", "cleo", "dora"}), len(left))
