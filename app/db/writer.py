"""Many small writes, committed together: what arrives while one transaction is on its way leaves with the next.

Nobody waits for company: the first write leaves alone and at once, and the disk is what gathers those behind it. They are answered
when they are on disk, in the order in which they came: who then publishes at once, without waiting for anything, publishes
in that order, too.

- What fails, fails alone: a group that is refused is halved until what is wrong stands by itself.
- A commit of which no answer came is settled by doing it again, which changes nothing where it was done.
- Who waits no longer is left out; what has left already is stored all the same.

SQLite has one lane: one writer. PostgreSQL has several, each with one transaction on its way. What is written to one place (a room,
an inbox) has one lane and stays in order. No lane waits for a row that somebody holds for longer than a moment: what needs that row
goes aside, and what comes for the same place behind it; there it waits, in order, while its lane goes on.
"""

from typing import Final, cast

from app.db.lanes import Aside, Lane
from app.db.writes import BeforeCommit, Commits, Job, Kind, Result, Write
from app.kernel.errors import Unavailable
from app.kernel.histogram import SIZES, Histogram
from app.kernel.transaction import refuse_inside_transaction

MAX_WAITING = 10_000
"""Writes that wait at most, with those on their way: what is committed in two seconds. Whoever comes then is refused at once, not
after a long wait."""


class Writer:
    """One for each process and database."""

    def __init__(self, commit: Commits, lanes: int) -> None:
        self.name: Final = "writes"
        self.sizes = Histogram(SIZES)
        """Writes that were stored together."""
        self._aside = Aside(commit, self.sizes)
        self._lanes = [Lane(commit, self.sizes, self._aside) for _ in range(lanes)]
        self._unanswered = 0

    def __len__(self) -> int:
        """Writes that somebody waits for, those on their way among them."""
        return self._unanswered

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
        write = Write(kind, job, rows, lane or kind.name, before_commit)
        self._lanes[hash(write.place) % len(self._lanes)].put(write)
        self._unanswered += 1
        try:
            return cast("Result", await write.done)
        finally:
            self._unanswered -= 1

    async def close(self) -> None:
        """Return when all that waits is stored."""
        for lane in (*self._lanes, self._aside):
            await lane.idle()
