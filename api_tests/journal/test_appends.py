"""What waits to be appended, with steps that are slow, refuse, come too late, and break."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import pytest
from structlog.contextvars import bound_contextvars

from api_tests.waiting import eventually
from app.journal import appends
from app.journal.appends import Appends, TooLate
from app.journal.place import Place
from app.kernel.errors import Unavailable


class Steps:
    """Gives places in order; each step waits for its turn, and fails with what the test wants."""

    def __init__(self) -> None:
        self.seen: list[list[bytes]] = []
        self.fail_with: list[Exception] = []
        self.turn = asyncio.Event()
        self._number = 0

    async def __call__(self, payloads: Sequence[bytes], _within_s: float) -> Sequence[Place]:
        self.seen.append(list(payloads))
        await self.turn.wait()
        if self.fail_with:
            raise self.fail_with.pop(0)
        self._number += len(payloads)
        return [Place("0" * 14, self._number - left, 0) for left in reversed(range(len(payloads)))]


async def put(queue: Appends, *payloads: bytes) -> list[asyncio.Task[Place]]:
    puts = [asyncio.create_task(queue.put(payload)) for payload in payloads]
    await asyncio.sleep(0)
    return puts


async def numbers_of(puts: Sequence[asyncio.Task[Place]]) -> list[int]:
    return [place.number for place in await asyncio.gather(*puts)]


async def on_its_way(queue: Appends, steps: Steps, *waiting: bytes) -> list[asyncio.Task[Place]]:
    """The first is in a step that waits for its turn; the others wait behind it."""
    first = await put(queue, b"first")
    await eventually(lambda: steps.seen)
    return first + await put(queue, *waiting)


async def test_when_too_much_waits_no_more_is_taken_until_there_is_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(appends, "MAX_WAITING_BYTES", 10)
    queue = Appends(steps := Steps())
    puts = await on_its_way(queue, steps, b"x" * 10)
    with pytest.raises(Unavailable, match="this was not taken"):
        await queue.put(b"y")
    steps.turn.set()
    assert [1, 2] == await numbers_of(puts)
    assert 3 == (await queue.put(b"z" * 10)).number


async def test_what_is_long_together_leaves_in_steps_and_what_is_longer_alone_leaves_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(appends, "MAX_STEP_BYTES", 10)
    queue = Appends(steps := Steps())
    puts = await on_its_way(queue, steps, b"a" * 5, b"b" * 5, b"c", b"d" * 11, b"e")
    steps.turn.set()
    assert [1, 2, 3, 4, 5, 6] == await numbers_of(puts)
    assert [[b"first"], [b"a" * 5, b"b" * 5], [b"c"], [b"d" * 11], [b"e"]] == steps.seen


async def test_what_came_too_late_goes_again_before_the_rest_if_somebody_still_waits_for_it():
    queue = Appends(steps := Steps())
    steps.fail_with = [TooLate()]
    puts = await on_its_way(queue, steps, b"second", b"third")
    puts.pop(1).cancel()
    steps.turn.set()
    assert [1, 2] == await numbers_of(puts)
    assert [[b"first"], [b"first", b"third"]] == steps.seen


async def test_a_step_of_which_nobody_waits_for_anything_is_not_made():
    queue = Appends(steps := Steps())
    puts = await on_its_way(queue, steps, b"second")
    for one in puts:
        one.cancel()
    steps.turn.set()
    await eventually(lambda: queue._task is None)
    assert [[b"first"]] == steps.seen


async def test_a_step_that_breaks_is_of_unknown_outcome_and_the_next_is_made(logged: Callable[[], str]):
    queue = Appends(steps := Steps())
    steps.fail_with = [ZeroDivisionError()]
    first, second = await on_its_way(queue, steps, b"second")
    steps.turn.set()
    with pytest.raises(Unavailable, match="not known whether it was published"):
        await first
    assert 1 == (await second).number
    assert "appending to the journal failed" in logged()


async def test_who_left_meanwhile_is_not_told_of_a_refused_step_and_the_others_are():
    queue = Appends(steps := Steps())
    steps.fail_with = [Unavailable("no")]
    left, waits = await put(queue, b"1", b"2")
    await eventually(lambda: steps.seen == [[b"1", b"2"]])
    left.cancel()
    steps.turn.set()
    with pytest.raises(Unavailable, match="no"):
        await waits


async def test_what_waits_is_refused_and_what_is_on_its_way_has_its_answer():
    queue = Appends(steps := Steps())
    first, second = await on_its_way(queue, steps, b"second")
    queue.refuse("the journal is away")
    with pytest.raises(Unavailable, match="the journal is away"):
        await second
    steps.turn.set()
    assert 1 == (await first).number


async def test_stopping_waits_for_what_is_on_its_way():
    queue = Appends(steps := Steps())
    ends = AsyncExitStack()
    await ends.enter_async_context(queue.running())
    (first,) = await on_its_way(queue, steps)
    stopping = asyncio.create_task(ends.aclose())
    await asyncio.sleep(0)
    assert not stopping.done()
    steps.turn.set()
    await stopping
    assert 1 == (await first).number
    async with queue.running():
        pass


async def test_what_fails_is_not_logged_as_the_request_that_happened_to_come_first(logged: Callable[[], str]):
    queue = Appends(steps := Steps())
    with bound_contextvars(request_id="of somebody else"):
        first = await put(queue, b"first")
    await eventually(lambda: steps.seen)
    steps.fail_with = [RuntimeError("broken")]
    steps.turn.set()
    with pytest.raises(Unavailable):
        await numbers_of(first)
    text = logged()
    assert "appending to the journal failed" in text
    assert "of somebody else" not in text


async def test_steps_are_counted_by_what_they_held_and_what_waits_by_how_many():
    queue = Appends(steps := Steps())
    puts = await on_its_way(queue, steps, b"a", b"b", b"c")
    assert 3 == len(queue)
    steps.turn.set()
    await numbers_of(puts)
    assert (0, 4.0, 2) == (len(queue), queue.sizes.sum, sum(queue.sizes.counts))
