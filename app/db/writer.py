"""Many small writes, committed together: what arrives while one transaction is on its way leaves with the next.

Nobody waits for company: the first write leaves alone and at once, and the disk is what gathers those behind it. They are answered
when they are on disk, in the order in which they came: who then publishes at once, without waiting for anything, publishes
in that order, too.

- What fails, fails alone: a group that is refused is halved until what is wrong stands by itself.
- A commit of which no answer came is settled by doing it again, which changes nothing where it was done.
- Who waits no longer is left out; what has left already is stored all the same.

SQLite has one lane: one writer. PostgreSQL has several, each with one transaction on its way: one that waits for a row holds up
its own lane. What is written to one lane stays in order.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import Connection

from app.db.backend import Overruled
from app.kernel.clock import monotonic
from app.kernel.errors import AppError, Unavailable, Unclear
from app.kernel.histogram import SIZES, Histogram
from app.kernel.transaction import refuse_inside_transaction

MAX_ROWS = 256
"""Rows that one transaction makes, some 10 ms, for which other writers wait; one write may make more, and leaves alone."""
MAX_WAITING = 10_000
"""Writes that wait at most: what is committed in two seconds. Whoever comes then is refused at once, not after a long wait."""
ANSWERED_AT_ONCE = 32
"""Writes that are answered in one turn of the loop: what each then publishes to a room holds it for some 0.2 ms."""
WAIT_S = 5.0
"""Seconds that a write waits until its transaction begins, behind one that waits for somebody else."""
SETTLE_S = 5.0
"""Seconds for which a commit without an answer is done again. A server that was killed is back by then, or gone for longer."""
SETTLE_PAUSE_S = 0.2

Job = TypeVar("Job")
Result = TypeVar("Result")


class Kind(NamedTuple, Generic[Job, Result]):
    """Writes that are stored by the same statements, however many they are."""

    name: str
    """In one transaction kinds come in the order of their names, and so do the locks that they take: first users, as everywhere."""
    store: Callable[[Connection, Sequence[Job]], Sequence[Result | AppError]]
    """Stores jobs, in order, and returns what each is answered; an AppError: nothing of it was stored. Where it raises, it is
    called again, with less; and again with the same where it is not known whether they are stored: what is there already it leaves.
    On SQLite it runs in a thread: it touches its jobs and its connection, and nothing else."""


Store = Callable[[Connection], Sequence[Any]]
BeforeCommit = Callable[[Connection], None]
"""Done in the transaction of a write, behind it; raises AppError where the write must not be stored."""


class _Write:
    """One job, and who waits for it."""

    __slots__ = ("before_commit", "done", "job", "kind", "rows", "until")

    def __init__(self, kind: Kind[Any, Any], job: object, rows: int, before_commit: BeforeCommit | None) -> None:
        self.kind = kind
        self.job = job
        self.rows = rows
        self.before_commit = before_commit
        self.until = monotonic() + WAIT_S
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def end(self, outcome: object) -> None:
        """Answer, with the error where it is one."""
        if self.done.done():  # who waited was cancelled
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class Writer:
    """One for each process and database."""

    def __init__(self, commit: Callable[[Store], Awaitable[Sequence[Any]]], lanes: int) -> None:
        """`commit`: returns what `Store` does once that is on disk; raises Unavailable, or Unclear, or what `Store` raises."""
        self.name: Final = "writes"
        self.sizes = Histogram(SIZES)
        """Writes that left together."""
        self._lanes = [_Lane(commit, self.sizes) for _ in range(lanes)]

    def __len__(self) -> int:
        """Writes that wait for their transaction to begin."""
        return sum(len(lane.waiting) for lane in self._lanes)

    async def write(
        self, kind: Kind[Job, Result], job: Job, *, rows: int = 1, lane: str = "", before_commit: BeforeCommit | None = None
    ) -> Result:
        """Store a job, of so many rows; what its kind answers, once it is on disk. Without `lane` its kind has one.

        Raises the AppError that its kind gives it, and Unavailable: nothing was stored, unless it is Unclear. Who is cancelled may
        have stored it all the same.
        """
        refuse_inside_transaction()
        if len(self) >= MAX_WAITING:
            raise Unavailable("too much waits to be stored; nothing of this was, try again")
        write = _Write(kind, job, rows, before_commit)
        self._lanes[hash(lane or kind.name) % len(self._lanes)].put(write)
        return cast("Result", await write.done)

    async def close(self) -> None:
        """Return when all that waits is stored."""
        for lane in self._lanes:
            await lane.idle()


class _Lane:
    """Writes in order, one transaction at a time."""

    def __init__(self, commit: Callable[[Store], Awaitable[Sequence[Any]]], sizes: Histogram) -> None:
        self.waiting: deque[_Write] = deque()
        self._commit = commit
        self._sizes = sizes
        self._task: asyncio.Task[None] | None = None
        self._stored: deque[tuple[_Write, object]] = deque()
        """What is to be answered, and how."""

    def put(self, write: _Write) -> None:
        """Store it with the next group."""
        self.waiting.append(write)
        if self._task is None:  # in a context of its own: it works for others than the first one, too
            self._task = asyncio.get_running_loop().create_task(self._run(), name="database writer", context=Context())

    async def idle(self) -> None:
        """Return when nothing waits."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while self.waiting:
                if group := self._take():
                    self._sizes.observe(len(group))
                    await self._store(group)
        finally:
            self._task = None

    def _take(self) -> Sequence[_Write]:
        """The oldest that somebody waits for."""
        group: list[_Write] = []
        rows, now = 0, monotonic()
        while self.waiting and (not group or rows + self.waiting[0].rows <= MAX_ROWS):
            write = self.waiting.popleft()
            if write.until < now:
                write.end(Unavailable("the database is busy; nothing was stored, try again"))
            elif not write.done.done():
                group.append(write)
                rows += write.rows
        return group

    async def _store(self, group: Sequence[_Write]) -> None:
        try:
            outcomes = await self._settled(group)
        except Exception as error:
            is_of_all = isinstance(error, Unavailable) and not isinstance(error, Overruled)
            if is_of_all or len(group) == 1:
                outcomes = [_copy_of(error) for _ in group]
            else:
                middle = len(group) // 2
                await self._store(group[:middle])
                await self._store(group[middle:])
                return
        is_answering = bool(self._stored)
        self._stored.extend(zip(group, outcomes, strict=True))
        if not is_answering:
            self._answer()

    def _answer(self) -> None:
        """Some, in order; the others in the next turns of the loop, while the next group is on its way."""
        for _ in range(min(len(self._stored), ANSWERED_AT_ONCE)):
            write, outcome = self._stored.popleft()
            write.end(outcome)
        if self._stored:
            asyncio.get_running_loop().call_soon(self._answer)

    async def _settled(self, group: Sequence[_Write]) -> Sequence[object]:
        """Commit; where it is not known whether it was done, again, until it is."""
        try:
            return await self._commit(_all_of(group))
        except Unclear as error:
            unclear = error
        until = monotonic() + SETTLE_S
        while monotonic() < until:
            await asyncio.sleep(SETTLE_PAUSE_S)
            try:
                return await self._commit(_all_of(group))
            except Unavailable:
                continue
        raise unclear


def _all_of(group: Sequence[_Write]) -> Store:
    """Stores a group, each kind of it at once."""

    def store(connection: Connection) -> Sequence[object]:
        by_kind: dict[Kind[Any, Any], list[int]] = {}
        for place, write in enumerate(group):
            by_kind.setdefault(write.kind, []).append(place)
        outcomes: list[object] = [None] * len(group)
        for kind in sorted(by_kind, key=lambda kind: kind.name):
            places = by_kind[kind]
            for place, outcome in zip(places, kind.store(connection, [group[at].job for at in places]), strict=True):
                outcomes[place] = outcome
        for write, outcome in zip(group, outcomes, strict=True):
            if write.before_commit is not None and not isinstance(outcome, AppError):
                write.before_commit(connection)
        return outcomes

    return store


def _copy_of(error: Exception) -> Exception:
    """Each who waits raises one of their own: an error keeps the traces of all who raise it."""
    if not isinstance(error, Unavailable):
        return error
    copy = type(error)(error.detail)
    copy.__cause__ = error.__cause__
    for note in getattr(error, "__notes__", ()):
        copy.add_note(note)
    return copy
