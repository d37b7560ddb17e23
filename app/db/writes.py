"""What is written together with others: one write, and the transaction of many."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from app.kernel.clock import monotonic
from app.kernel.errors import AppError, Unavailable

WAIT_S = 5.0
"""Seconds that a write waits until its transaction begins, behind one that waits for somebody else."""

Job = TypeVar("Job")
Result = TypeVar("Result")


class Kind(NamedTuple, Generic[Job, Result]):
    """Writes that are stored by the same statements, however many they are."""

    name: str
    """In one transaction kinds come in the order of their names, and so do the locks that they take, on whatever node."""
    store: Callable[[Connection, Sequence[Job]], Sequence[Result | AppError]]
    """Stores jobs, in order, and returns what each is answered; an AppError: nothing of it was stored. Where it raises, it is
    called again, with less; and again with the same where it is not known whether they are stored: what is there already it leaves.
    On SQLite it runs in a thread: it touches its jobs and its connection, and nothing else."""


Store = Callable[[Connection], Sequence[Any]]


class Commits(Protocol):
    """Carries out a transaction."""

    async def __call__(self, store: Store, /, *, is_patient: bool) -> Sequence[Any]:
        """What `store` returns, once that is on disk. `is_patient`: it waits for rows that others hold; else for a moment only.

        Raises Unavailable, or a kind of it, or what `store` raises.
        """


BeforeCommit = Callable[[Connection], None]
"""Done in the transaction of a write, behind it; raises AppError where the write must not be stored."""


class Write:
    """One job, and who waits for it."""

    __slots__ = ("before_commit", "done", "job", "kind", "place", "rows", "until")

    def __init__(self, kind: Kind[Any, Any], job: object, rows: int, place: str, before_commit: BeforeCommit | None) -> None:
        self.kind = kind
        self.place = place
        self.job = job
        self.rows = rows
        self.before_commit = before_commit
        self.until = monotonic() + WAIT_S
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def is_wanted(self) -> bool:
        """Whether somebody waits for it. Who has waited for too long is answered."""
        if self.until < monotonic():
            self.end(Unavailable("the database is busy; nothing was stored, try again"))
        return not self.done.done()

    def end(self, outcome: object) -> None:
        """Answer, with the error where it is one."""
        if self.done.done():  # who waited was cancelled
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


def all_of(group: Sequence[Write]) -> Store:
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
