"""The contract of a journal; every adapter runs it."""

import asyncio
from collections.abc import Callable

import pytest

from api_tests.contracts.conftest import Kept
from api_tests.waiting import SOON_S
from app.journal.port import Entry, GapError, Journal
from app.kernel.clock import monotonic

A_MOMENT_S = 1.0
"""By which the clocks of a node and of its journal may be told apart."""


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
    assert [(third, b"three")] == [entry[:2] for entry in await journal.read(second, 100)]
    assert [] == list(await journal.read(third, 100))


async def test_a_gap_is_told_and_never_a_part(kept: Kept) -> None:
    journal = kept.journal
    start = journal.head()
    cursors = [await journal.append(str(number).encode()) for number in range(6)]
    await kept.forget_all_but(5)
    with pytest.raises(GapError):
        await journal.read(start, 100)
    assert [b"1", b"2", b"3", b"4", b"5"] == [entry.payload for entry in await journal.read(cursors[0], 100)]
    assert [b"3", b"4"] == [entry.payload for entry in await journal.read(cursors[2], 2)]
    assert [] == list(await journal.read(cursors[-1], 100))


async def test_an_entry_is_found_by_its_place_while_it_is_in_memory(kept: Kept) -> None:
    journal = kept.journal
    start = journal.head()
    cursors = [await journal.append(str(number).encode()) for number in range(6)]
    assert [(cursors[0], b"0"), (cursors[5], b"5")] == [journal.at(cursors[place])[:2] for place in (0, 5)]
    await kept.forget_all_but(5)
    for gone in (start, cursors[0], "x", cursors[5][:-1] + "~"):
        with pytest.raises(GapError):
            journal.at(gone)


@pytest.mark.parametrize(
    "change", [lambda _: "x", lambda _: "", lambda head: "0" + head, lambda head: head[:-1] + "fe"[head[-1] == "f"]]
)
@pytest.mark.parametrize("entries", [0, 1])
async def test_a_cursor_of_another_life_is_a_gap(journal: Journal, entries: int, change: Callable[[str], str]) -> None:
    for _ in range(entries):
        await journal.append(b"x")
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


async def test_what_arrives_together_keeps_its_order_and_each_has_a_place_of_its_own(journal: Journal) -> None:
    heard: list[Entry] = []
    journal.follow(heard.append)
    texts = [str(number).encode() * (1 + number % 7) for number in range(500)]
    cursors = await asyncio.gather(*map(journal.append, texts))
    assert list(zip(cursors, texts, strict=True)) == [entry[:2] for entry in heard]
    assert sorted(set(cursors)) == cursors


async def test_it_tells_when_an_entry_came(journal: Journal) -> None:
    before, start = monotonic(), journal.head()
    await journal.append(b"one")
    (entry,) = await journal.read(start, 1)
    assert before - A_MOMENT_S < entry.at < monotonic() + A_MOMENT_S


async def test_whoever_appends_has_an_answer_when_the_followers_were_called(journal: Journal) -> None:
    heard: list[str] = []
    journal.follow(lambda entry: heard.append(entry.cursor))
    for _ in range(5):
        assert await journal.append(b"x") == heard[-1] == journal.head()


async def test_it_tells_how_it_is(journal: Journal) -> None:
    await journal.append(b"x")
    health = journal.health()
    assert ("ok", 1, 0) == (health.state, health.entries, health.reconnects)
    assert 0 <= health.lag_s < SOON_S
    await journal.until_reached()


async def test_any_bytes_come_as_they_went(journal: Journal) -> None:
    start = journal.head()
    payloads = [b"", bytes(range(256)), b"\r\n$-1\r\n", b"x" * 2_000_000]
    for payload in payloads:
        await journal.append(payload)
    assert payloads == [entry.payload for entry in await journal.read(start, 10)]
