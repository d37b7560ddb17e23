"""What differs between databases, for transactions: a port with one adapter for each."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.kernel.errors import Unavailable

WRITES = "wsx_writes"
"""Execution option of a transaction. True: it will write, and SQLite takes the write lock at its start, not in its middle. False:
it will not, and none is begun: each statement sees what is committed by then, as it does inside of a transaction of PostgreSQL."""

Done = TypeVar("Done")


class Overruled(Unavailable):
    """Rolled back in favour of another transaction, with which it stood in each other's way: it may work at once."""


class Held(Unavailable):
    """Rolled back, as a lock that somebody else holds did not come in time."""


class Commit:
    """How far a transaction has come."""

    def __init__(self, *, is_patient: bool = True) -> None:
        self.is_patient = is_patient
        """Whether it waits for locks of others as long as any; else for a moment, as more than it waits for them."""
        self.is_connected = False
        """Until then, whatever fails is the operator's to mend."""
        self.has_begun = False


class Backend(Protocol):
    """One kind of database. Lives as long as its engine."""

    reading: Mapping[str, Any]
    """Execution options of a connection that only reads."""
    check_timeout_s: float | None
    """Within how many seconds it must answer to count as there; None: it always answers."""
    lanes: int
    """How many transactions of the writer are on their way at once."""

    def make_engine(self, url: str) -> AsyncEngine:
        """An engine whose connections lose nothing that was committed, and whose waits all end."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Around each transaction that writes. Raises TimeoutError when its turn does not come."""

    async def carry_out(self, engine: AsyncEngine, work: Callable[[Connection], Done], commit: Commit) -> Done:
        """Do this in one transaction that writes, while the loop turns; what it returned, once that is on disk.

        `commit` is told how far it has come. Inside of `turn`. Not safe to cancel.
        """

    async def close(self) -> None:
        """End what it has begun beside its engine."""

    def is_passing(self, error: DBAPIError) -> bool:
        """Whether the same may work later: the database is away, or busy. Else it is a mistake of ours."""

    def kind_of(self, error: Exception, /) -> type[Unavailable]:
        """Of what passes: Overruled, Held, or Unavailable where it is neither."""

    def may_be_stored(self, error: Exception, /) -> bool:
        """Whether a commit that ended by this error may have been carried out."""
