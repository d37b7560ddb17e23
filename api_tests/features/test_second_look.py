"""A second look at what was pushed: what is stored by now is pushed, where it is something else."""

import asyncio

import pytest

from api_tests.waiting import MS, eventually
from app.features import gathering, second_look
from app.features.second_look import SecondLook
from app.kernel.errors import Unavailable


class Board:
    """Things by name: what is stored, what screens show, and a look at them."""

    def __init__(self) -> None:
        self.stored: dict[str, int] = {}
        self.pushed: list[tuple[str, int]] = []
        self.looked: list[dict[str, int]] = []
        self.is_away = False
        self.look: SecondLook[str, int] = SecondLook("things", find_changed=self._find_changed, push=self._push)

    def push(self, name: str, value: int) -> None:
        self.pushed.append((name, value))
        self.look.told(name, value)

    async def _find_changed(self, told):
        self.looked.append(dict(told))
        if self.is_away:
            raise Unavailable("the database is away")
        return [name for name, value in told.items() if self.stored[name] != value]

    async def _push(self, wrong):
        for name in wrong:
            self.push(name, self.stored[name])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(second_look, "PAUSE_S", 1 * MS)
    monkeypatch.setattr(gathering, "RETRY_S", 1 * MS)
    return Board()


async def test_what_is_stored_as_it_was_told_is_left_alone(board: Board):
    board.stored = {"a": 1, "b": 2}
    async with board.look.running():
        board.push("a", 1)
        board.push("b", 2)
        await eventually(lambda: board.looked)
    assert [{"a": 1, "b": 2}] == board.looked
    assert [("a", 1), ("b", 2)] == board.pushed


async def test_what_is_stored_otherwise_is_pushed_and_looked_at_again(board: Board):
    board.stored = {"a": 2, "b": 1}
    async with board.look.running():
        board.push("a", 1)
        board.push("b", 1)
        await eventually(lambda: 3 == len(board.looked))
    assert [{"a": 1, "b": 1}, {"a": 1}, {"a": 2}] == board.looked
    assert [("a", 1), ("b", 1), ("a", 2)] == board.pushed


async def test_what_is_pushed_after_the_first_look_was_not_wrong_before(board: Board):
    board.stored = {"a": 1}
    find = board._find_changed

    async def find_before_it_is_pushed(told):
        found = await find(told)
        if 1 == len(board.looked):
            asyncio.get_running_loop().call_soon(board.push, "a", 2)
        return found

    board.look = SecondLook("things", find_changed=find_before_it_is_pushed, push=board._push)
    async with board.look.running():
        board.push("a", 1)
        board.stored["a"] = 2
        await eventually(lambda: 2 == len(board.looked))
    assert [{"a": 1}, {"a": 2}] == board.looked
    assert [("a", 1), ("a", 2)] == board.pushed


async def test_what_is_pushed_during_a_look_is_looked_at_again(board: Board):
    board.stored = {"a": 1}
    find, looks, may_go_on = board._find_changed, asyncio.Event(), asyncio.Event()

    async def find_slowly(told):
        looks.set()
        await may_go_on.wait()
        return await find(told)

    board.look = SecondLook("things", find_changed=find_slowly, push=board._push)
    async with board.look.running():
        board.push("a", 1)
        await looks.wait()
        board.stored["a"] = 2
        board.push("a", 2)
        may_go_on.set()
        await eventually(lambda: 2 == len(board.looked))
    assert [{"a": 1}, {"a": 2}] == board.looked
    assert [("a", 1), ("a", 2)] == board.pushed


async def test_while_the_database_is_away_it_waits(board: Board):
    board.stored, board.is_away = {"a": 2}, True
    async with board.look.running():
        board.push("a", 1)
        await eventually(lambda: 2 <= len(board.looked))
        board.is_away = False
        await eventually(lambda: 2 == len(board.pushed))
    assert ("a", 2) == board.pushed[-1]


async def test_at_the_end_what_is_left_is_looked_at(board: Board, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(board.look._pushed, "_pause_s", 60.0)
    board.stored = {"a": 2}
    async with board.look.running():
        board.push("a", 1)
    assert [("a", 1), ("a", 2)] == board.pushed


async def test_while_the_journal_is_away_what_is_wrong_holds_up_nothing_else(board: Board):
    board.stored = {"a": 2} | {f"right {number}": 1 for number in range(20)}
    push, is_away = board._push, True

    async def push_unless_away(wrong):
        if is_away:
            raise Unavailable("the journal is away")
        await push(wrong)

    board.look = SecondLook("things", find_changed=board._find_changed, push=push_unless_away)
    async with board.look.running():
        board.push("a", 1)
        for name in list(board.stored)[1:]:
            board.push(name, 1)
        await eventually(lambda: 1 == len(board.look._pushed))
        looked = len(board.looked)
        await eventually(lambda: looked + 3 < len(board.looked))
        is_away = False
        await eventually(lambda: ("a", 2) in board.pushed)


async def test_no_more_than_so_many_wait_and_the_oldest_are_given_up(board: Board, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(second_look, "MAX_WAITING", 2)
    board.stored, board.is_away = dict.fromkeys("abc", 1), True
    async with board.look.running():
        for name in "abbc":
            board.push(name, 1)
        await eventually(lambda: board.looked)
        board.is_away = False
        await eventually(lambda: 0 == len(board.look._pushed))
    assert [{"b": 1, "c": 1}] == board.looked[:1]


async def test_what_was_told_to_be_gone_is_looked_at_no_more(board: Board):
    board.stored = {"a": 1, "b": 1}
    async with board.look.running():
        board.push("a", 1)
        board.push("b", 1)
        board.look.told_gone("a")
        await eventually(lambda: board.looked)
    assert [{"b": 1}] == board.looked


async def test_what_is_told_to_be_gone_during_a_look_is_not_pushed(board: Board):
    board.stored = {"a": 2}
    find = board._find_changed

    async def find_and_tell(told):
        found = await find(told)
        board.look.told_gone("a")
        return found

    board.look = SecondLook("things", find_changed=find_and_tell, push=board._push)
    async with board.look.running():
        board.push("a", 1)
        await eventually(lambda: board.looked and not board.look._pushed)
    assert [("a", 1)] == board.pushed
