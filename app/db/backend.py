"""What differs between databases, for transactions: a port with one adapter for each."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

WRITES = "wsx_writes"
"""Execution option of a transaction that will write: SQLite then takes the write lock at its start, not in its middle."""


class Backend(Protocol):
    """One kind of database. Lives as long as its engine."""

    check_timeout_s: float | None
    """Within how many seconds it must answer to count as there; None: it always answers."""

    def make_engine(self, url: str) -> AsyncEngine:
        """An engine whose connections lose nothing that was committed, and whose waits all end."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Around each transaction that writes. Raises TimeoutError when its turn does not come."""

    def is_passing(self, error: DBAPIError) -> bool:
        """Whether the same may work later: the database is away, or busy. Else it is a mistake of ours."""

    def may_be_stored(self, error: Exception, /) -> bool:
        """Whether a commit that ended by this error may have been carried out."""
