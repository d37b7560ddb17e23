"""What the ring in memory keeps is bounded: by number, by age, by bytes."""

import pytest

from app.journal import ring
from app.journal.memory import MemoryJournal
from app.journal.port import GapError


async def filled(journal: MemoryJournal, *payloads: bytes) -> list[str]:
    return [journal.head()] + [await journal.append(payload) for payload in payloads]


async def test_it_keeps_so_many_entries_and_forgets_the_oldest():
    journal = MemoryJournal(3)
    start, first, *_ = await filled(journal, b"1", b"2", b"3", b"4")
    assert [b"2", b"3", b"4"] == [entry.payload for entry in await journal.read(first, 9)]
    assert (3, 3) == (len(journal._ring._entries), len(journal._ring._kept_at))
    with pytest.raises(GapError):
        await journal.read(start, 9)


async def test_it_keeps_no_more_bytes_than_these():
    journal = MemoryJournal(100, max_bytes=10)
    _, first, second, _ = await filled(journal, b"x" * 4, b"y" * 4, b"z" * 4)
    assert 8 == journal._ring._bytes
    assert [b"y" * 4, b"z" * 4] == [entry.payload for entry in await journal.read(first, 9)]
    await journal.append(b"longer than all")
    assert (0, 0) == (journal._ring._bytes, len(journal._ring._entries))
    assert [] == list(await journal.read(journal.head(), 9))
    with pytest.raises(GapError):
        await journal.read(second, 9)


async def test_it_forgets_what_is_too_old_also_when_nothing_new_comes(monkeypatch: pytest.MonkeyPatch):
    now = 1_000.0
    monkeypatch.setattr(ring, "monotonic", lambda: now)
    journal = MemoryJournal(100, max_age_s=300)
    start, first = await filled(journal, b"1")
    now += 200
    await journal.append(b"2")
    assert 2 == len(await journal.read(start, 9))
    now += 101
    assert [b"2"] == [entry.payload for entry in await journal.read(first, 9)]
    with pytest.raises(GapError):
        await journal.read(start, 9)
    now += 300
    with pytest.raises(GapError):
        await journal.read(first, 9)
    assert [] == list(await journal.read(journal.head(), 9))


async def test_it_begins_anew_with_another_life_and_says_what_is_lost() -> None:
    journal = MemoryJournal(10)
    lost: list[str] = []
    heard: list[str] = []
    journal.follow(lambda entry: heard.append(entry.cursor), lost=lambda: lost.append(journal.head()))
    before = await journal.append(b"one")
    journal.begin_anew()
    assert before < journal.head() == lost[0]
    with pytest.raises(GapError):
        await journal.read(before, 1)
    after = await journal.append(b"two")
    assert [before, after] == heard
    assert [after] == [entry.cursor for entry in await journal.read(lost[0], 1)]
