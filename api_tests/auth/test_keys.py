"""API keys: their form, and the ring that knows whose they are."""

import asyncio
import math
from datetime import timedelta

import pytest

from api_tests.waiting import eventually
from app.auth import keys
from app.auth.keys import ADMIN_CALLER, Caller, KeyRecord, KeyRing, NewKey, digest_of, id_of, make_key
from app.auth.known_ids import KnownIds
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable

ADMIN_KEY = "the key of whoever set this server up"


class Rows:
    """Where a ring looks keys up; remembers for what it was asked."""

    def __init__(self, *rows: KeyRecord) -> None:
        self.by_id = {row.id: row for row in rows}
        self.asked: list[str] = []
        self.used: list[str] = []

    async def find(self, key_id: str) -> KeyRecord | None:
        self.asked.append(key_id)
        return self.by_id.get(key_id)

    async def find_ids(self) -> frozenset[str]:
        return frozenset(self.by_id)

    def ring(self, admin_key: str = ADMIN_KEY) -> KeyRing:
        return KeyRing(self.find, KnownIds(self.find_ids), admin_key=admin_key, used=self.used.append)


def record(key, *, expires_at=None, revoked_at=None) -> KeyRecord:
    return KeyRecord(key.id, "shop", frozenset({"broadcasts:write"}), key.digest, expires_at, revoked_at)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time as the ring sees it, in a list of one. It stands still while the test does not move it."""
    now = [1_000.0]
    monkeypatch.setattr(keys, "monotonic", lambda: now[0])
    return now


def test_a_key_has_an_id_a_secret_and_a_checksum():
    key = make_key()
    prefix, key_id, secret = key.text.split("_")
    assert ("wsx", key.id, 39) == (prefix, key_id, len(secret))
    assert 12 == len(key.id)
    assert key.id == id_of(key.text)
    assert key.digest == digest_of(key.text)
    assert 33 >= math.ceil(keys.SECRET_BYTES * 8 / math.log2(62))  # its characters hold all the random bits


def test_no_two_keys_are_alike():
    assert 1_000 == len({make_key().id for _ in range(1_000)})


@pytest.mark.parametrize("at", [0, 3, 8, 15, 16, 30, 48, 50, 54])
def test_one_wrong_character_is_seen_without_a_look_up(at):
    text = make_key().text
    assert id_of(text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "wsx", "wsx_", "wsx__", "wsx_Qm3zT81bKpXa", "wsx_Qm3zT81bKpXa_", "wsx_short_secret", "____"])
def test_what_is_no_key_has_no_id(text):
    assert id_of(text) is None
    assert id_of(make_key().text + text) is None or text == ""


async def test_whoever_holds_a_key_is_known_and_the_use_is_noted():
    key = make_key()
    rows = Rows(record(key))
    assert Caller(key.id, "shop", frozenset({"broadcasts:write"})) == await rows.ring().caller(key.text)
    assert [key.id] == rows.used


async def test_a_mistyped_key_is_refused_without_a_look_up():
    key = make_key()
    rows = Rows(record(key))
    ring = rows.ring()
    for text in (key.text[:-1], key.text + "x", key.text.swapcase(), "ключ" + key.text, "", "admin"):
        assert await ring.caller(text) is None
    assert ([], []) == (rows.asked, rows.used)


async def test_a_sound_key_with_the_id_of_another_is_refused():
    key, other = make_key(), make_key()
    rows = Rows(record(key))
    body = f"wsx_{key.id}_{other.text.split('_')[2][:-6]}"
    forged = body + keys._checksum(body)  # whoever forges can compute it too
    assert key.id == id_of(forged)
    assert await rows.ring().caller(forged) is None
    assert ([key.id], []) == (rows.asked, rows.used)


async def test_an_unknown_expired_or_revoked_key_is_refused():
    now = utc_now()
    expired, revoked, unknown, living = make_key(), make_key(), make_key(), make_key()
    rows = Rows(
        record(expired, expires_at=now), record(revoked, revoked_at=now), record(living, expires_at=now + timedelta(hours=1))
    )
    ring = rows.ring()
    assert [None, None, None] == [await ring.caller(key.text) for key in (expired, revoked, unknown)]
    assert living.id == (await ring.caller(living.text)).key_id
    assert [living.id] == rows.used


async def test_the_known_admin_key_needs_no_row_and_no_look_up():
    rows = Rows()
    assert ADMIN_CALLER == await rows.ring().caller(ADMIN_KEY)
    assert ADMIN_KEY not in str(ADMIN_CALLER)
    assert await rows.ring().caller(ADMIN_KEY[:-1]) is None
    assert await rows.ring("").caller("") is None
    assert [] == rows.asked


async def test_a_key_is_looked_up_once_a_second_and_anew_when_it_changed(monkeypatch):
    key = make_key()
    rows = Rows(record(key))
    ring = rows.ring()
    for _ in range(3):
        assert await ring.caller(key.text)
    assert 1 == len(rows.asked)
    rows.by_id[key.id] = record(key, revoked_at=utc_now())
    assert await ring.caller(key.text)  # believed for a second
    ring.forget(key.id)
    ring.forget("nobody")
    assert await ring.caller(key.text) is None
    monkeypatch.setattr(keys, "CACHE_S", 0.0)
    ring.forget(key.id)
    rows.asked.clear()
    assert [None, None] == [await ring.caller(key.text) for _ in range(2)]
    assert [key.id, key.id] == rows.asked


async def test_guessed_ids_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(keys, "MAX_CACHED", 10)
    rows = Rows()
    ring = rows.ring()
    for _ in range(25):
        assert await ring.caller(make_key().text) is None
    assert 10 >= len(ring._cache)  # the memory is what is asked about
    assert 25 == len(rows.asked)


class SlowRows(Rows):
    """Rows that are found when the test says so."""

    def __init__(self, *rows: KeyRecord) -> None:
        super().__init__(*rows)
        self.ready = asyncio.Event()
        self.error: Exception | None = None

    async def find(self, key_id: str) -> KeyRecord | None:
        found = await super().find(key_id)
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return found


async def test_those_who_wait_for_one_key_wait_for_one_look_up():
    key = make_key()
    rows = SlowRows(record(key))
    ring = rows.ring()
    waiting = [asyncio.create_task(ring.caller(key.text)) for _ in range(5)]
    await eventually(lambda: rows.asked)
    waiting.pop().cancel()  # its client has gone; the others still want to know
    rows.ready.set()
    assert {key.id} == {(await one).key_id for one in waiting}
    assert [key.id] == rows.asked


async def in_use(key: NewKey) -> tuple[SlowRows, KeyRing]:
    """A ring that has just found the key."""
    rows = SlowRows(record(key))
    ring = rows.ring()
    rows.ready.set()
    assert await ring.caller(key.text)
    return rows, ring


async def test_what_a_slow_database_was_asked_a_second_ago_is_believed_only_by_who_asked(clock):
    key = make_key()
    rows = SlowRows(record(key))
    ring = rows.ring()
    before = asyncio.create_task(ring.caller(key.text))
    await eventually(lambda: rows.asked)
    rows.by_id[key.id] = record(key, revoked_at=utc_now())  # by another node
    clock[0] += keys.CACHE_S
    after = asyncio.create_task(ring.caller(key.text))
    await eventually(lambda: len(rows.asked) == 2)
    rows.ready.set()
    assert await before
    assert await after is None
    assert await ring.caller(key.text) is None
    assert 2 == len(rows.asked)


async def test_a_key_in_use_is_looked_up_anew_behind_the_requests(clock):
    key = make_key()
    rows, ring = await in_use(key)
    rows.ready.clear()
    rows.by_id[key.id] = record(key, revoked_at=utc_now())
    clock[0] += keys.RENEW_S
    for _ in range(3):
        assert await ring.caller(key.text)  # nobody waits
    await eventually(lambda: len(rows.asked) == 2)
    rows.ready.set()
    await eventually(lambda: not ring._coming)  # nothing else shows that a look-up behind the requests has ended
    assert await ring.caller(key.text) is None
    assert 2 == len(rows.asked)


async def test_a_key_is_not_believed_longer_while_the_database_is_away(clock):
    key = make_key()
    rows, ring = await in_use(key)
    rows.error = Unavailable("the database is away")
    clock[0] += keys.RENEW_S
    assert await ring.caller(key.text)
    await eventually(lambda: not ring._coming)
    clock[0] += keys.CACHE_S - keys.RENEW_S
    with pytest.raises(Unavailable):
        await ring.caller(key.text)
    rows.error = None
    assert await ring.caller(key.text)


async def test_a_key_that_was_good_is_believed_for_an_hour_while_the_database_is_away_where_only_numbers_are_told(clock):
    key, ended = make_key(), make_key()
    rows, ring = await in_use(key)
    rows.by_id[ended.id] = record(ended, revoked_at=utc_now())
    assert await ring.caller(ended.text) is None
    rows.error = Unavailable("the database is away")
    clock[0] += keys.AWAY_S
    assert await ring.caller(key.text, also_while_away=True)
    assert await ring.caller(ended.text, also_while_away=True) is None
    for text, also_while_away in ((key.text, False), (make_key().text, True)):
        with pytest.raises(Unavailable):
            await ring.caller(text, also_while_away=also_while_away)
    clock[0] += keys.CACHE_S
    with pytest.raises(Unavailable):
        await ring.caller(key.text, also_while_away=True)


async def test_what_was_read_before_a_change_is_not_believed_after_it():
    key = make_key()
    rows = SlowRows(record(key))
    ring = rows.ring()
    before = asyncio.create_task(ring.caller(key.text))
    await eventually(lambda: rows.asked)
    rows.by_id[key.id] = record(key, revoked_at=utc_now())
    ring.forget(key.id)
    after = asyncio.create_task(ring.caller(key.text))
    await eventually(lambda: len(rows.asked) == 2)
    rows.ready.set()
    assert await before  # it was asked while the key was good
    assert await after is None
    assert await ring.caller(key.text) is None
