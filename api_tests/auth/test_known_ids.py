"""Keys of an address that guesses: those that there are come in, whatever the database does; others cost one reading a second."""

import asyncio

import pytest

from app.auth import keys, known_ids
from app.auth.failures import Failures
from app.auth.guards import Guard
from app.auth.keys import KeyRecord, KeyRing, make_key
from app.auth.known_ids import KnownIds
from app.kernel.errors import RateLimited, Unauthenticated, Unavailable

HOME = "192.0.2.1"
OTHERS = "192.0.2.2"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time in a list of one; it stands still while the test does not move it."""
    now = [1_000.0]
    for module in (keys, known_ids):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


class Rows:
    """A table of keys, which may be slow or away."""

    def __init__(self) -> None:
        self.by_id: dict[str, KeyRecord] = {}
        self.readings = 0
        self.error: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self.known_ids = KnownIds(self.find_ids)

    async def find(self, key_id: str) -> KeyRecord | None:
        await self.ready.wait()
        return self.by_id.get(key_id)

    async def find_ids(self) -> frozenset[str]:
        self.readings += 1
        found = frozenset(self.by_id)
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return found

    def new_key(self) -> str:
        """The text of a key that another process has made."""
        key = make_key()
        self.by_id[key.id] = KeyRecord(key.id, "shop", frozenset({"admin"}), key.digest, None, None)
        return key.text


@pytest.fixture
async def rows() -> Rows:
    return Rows()


@pytest.fixture
async def ask(rows):
    """Asks with a key from an address; `HOME` has guessed until it was stopped."""
    ring = KeyRing(rows.find, rows.known_ids, admin_key="", used=lambda _key_id: None)
    guard = Guard(ring, Failures(1), rate_per_min=1_000)

    def asks(text, address=HOME):
        return guard.identify([(b"authorization", f"Bearer {text}".encode())], address, "admin")

    with pytest.raises(Unauthenticated):
        await asks(make_key().text)
    with pytest.raises(RateLimited):
        await asks(make_key().text)
    return asks


async def test_who_guesses_costs_one_reading_a_second(rows, ask, clock):
    for _ in range(3):
        with pytest.raises(RateLimited):
            await ask(make_key().text)
    assert 1 == rows.readings
    clock[0] += known_ids.RENEW_S
    with pytest.raises(RateLimited):
        await ask(make_key().text)
    assert 2 == rows.readings


async def test_a_key_that_is_in_use_waits_for_no_database_also_where_somebody_guesses(rows, ask, clock):
    key = rows.new_key()
    await ask(key, OTHERS)
    rows.ready.clear()
    clock[0] += 0.9
    assert "shop" == (await asyncio.wait_for(ask(key), 20)).name
    assert 1 == rows.readings


async def test_a_known_key_needs_no_reading_when_it_is_looked_up_anew(rows, ask, clock):
    key = rows.new_key()
    clock[0] += known_ids.RENEW_S
    await ask(key)
    clock[0] += 3_600
    rows.error = Unavailable("away")
    assert "shop" == (await ask(key)).name
    assert 2 == rows.readings


async def test_all_that_wait_for_a_reading_get_the_error_of_that_one(rows, ask, clock):
    clock[0] += known_ids.RENEW_S
    rows.ready.clear()
    rows.error = Unavailable("away")
    waiting = [asyncio.create_task(ask(make_key().text)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rows.ready.set()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
    assert [Unavailable] * 10 == [type(outcome) for outcome in outcomes]
    assert 2 == rows.readings
    rows.error = None
    with pytest.raises(RateLimited):
        await ask(make_key().text)


async def test_a_reading_that_nobody_waits_for_any_more_troubles_nobody(rows, ask, clock):
    clock[0] += known_ids.RENEW_S
    rows.ready.clear()
    rows.error = Unavailable("away")
    waiting = asyncio.create_task(ask(make_key().text))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    reading = rows.known_ids._reading
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    rows.error = None
    rows.ready.set()
    assert "shop" == (await ask(rows.new_key())).name


async def test_a_key_that_is_made_during_a_reading_is_let_in_before_the_next(rows, ask, clock):
    clock[0] += known_ids.RENEW_S
    rows.ready.clear()
    waiting = asyncio.create_task(ask(make_key().text))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    key = rows.new_key()
    rows.known_ids.add(keys.id_of(key))
    rows.ready.set()
    with pytest.raises(RateLimited):
        await waiting
    assert "shop" == (await ask(key)).name
    assert 2 == rows.readings
    clock[0] += known_ids.RENEW_S
    rows.known_ids.add("never read")
    assert not await rows.known_ids.has("never read")


async def test_a_key_of_another_process_is_let_in_after_a_second(rows, ask, clock):
    key = rows.new_key()
    with pytest.raises(RateLimited, match="one that was just made after a second"):
        await ask(key)
    clock[0] += known_ids.RENEW_S
    assert "shop" == (await ask(key)).name
