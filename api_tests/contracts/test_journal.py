"""The contract of a journal; every adapter runs it."""

from collections.abc import Callable

import pytest

from app.journal.memory import MemoryJournal
from app.journal.port import Entry, GapError, Journal


@pytest.fixture(params=[MemoryJournal])
def journal(request: pytest.FixtureRequest) -> Journal:
    made: Journal = request.param(max_entries=5)
    return made


async def test_cursors_increase_and_the_head_is_the_newest(journal: Journal) -> None:
    cursors = [journal.head()] + [await journal.append(b"x") for _ in range(20)]
    assert sorted(set(cursors)) == cursors
    assert cursors[-1] == journal.head()


async def test_what_came_after_a_cursor_is_read_in_order(journal: Journal) -> None:
    start = journal.head()
    await journal.append(b"one")
    second = await journal.append(b"two")
    third = await journal.append(b"three")
    assert [b"one", b"two"] == [entry.payload for entry in await journal.read(start, 2)]
    assert [Entry(third, b"three")] == list(await journal.read(second, 100))
    assert [] == list(await journal.read(third, 100))


async def test_a_gap_is_told_and_never_a_part(journal: Journal) -> None:
    start = journal.head()
    cursors = [await journal.append(str(number).encode()) for number in range(6)]
    with pytest.raises(GapError):
        await journal.read(start, 100)
    assert [b"1", b"2", b"3", b"4", b"5"] == [entry.payload for entry in await journal.read(cursors[0], 100)]


@pytest.mark.parametrize("change", [lambda _: "x", lambda _: "", lambda head: "0" + head, lambda head: head[:-1] + "f"])
async def test_a_cursor_of_another_life_is_a_gap(journal: Journal, change: Callable[[str], str]) -> None:
    with pytest.raises(GapError):
        await journal.read(change(journal.head()), 100)


async def test_followers_hear_each_entry_in_order_until_they_stop(journal: Journal) -> None:
    heard: list[bytes] = []
    stop = journal.follow(lambda entry: heard.append(entry.payload))
    await journal.append(b"one")
    await journal.append(b"two")
    stop()
    await journal.append(b"three")
    assert [b"one", b"two"] == heard


async def test_a_follower_that_fails_keeps_nothing_from_the_others(journal: Journal, logged: Callable[[], str]) -> None:
    heard: list[bytes] = []

    def broken(_: Entry) -> None:
        message = "no"
        raise RuntimeError(message)

    journal.follow(broken)
    journal.follow(lambda entry: heard.append(entry.payload))
    await journal.append(b"one")
    await journal.append(b"two")
    assert [b"one", b"two"] == heard
    assert 2 == logged().count("journal follower failed")
