"""SQLite's driver, with one round trip to the thread of its connection for each statement.

aiosqlite goes there once to make a cursor, once to execute, once to fetch, once to close. Where nobody waits for a core each of
these takes some 0.1 ms: a page of a list took 2.5 ms, of which SQLite worked for 0.1.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import aiosqlite

CHUNK_ROWS = 64
"""What aiosqlite takes for itself; nobody iterates here."""


class Connection(aiosqlite.Connection):
    """What SQLAlchemy is given for a connection of aiosqlite."""

    def __init__(self, *where: Any, **how: Any) -> None:
        """`where`, `how`: as `sqlite3.connect` has them."""
        super().__init__(lambda: sqlite3.connect(*where, **how), CHUNK_ROWS)
        self._thread.daemon = True

    def cursor(self, *_: Any, **__: Any) -> Any:
        """A `Cursor`, without a round trip."""
        return Cursor(self)

    async def rollback(self) -> None:
        """Only where something has begun."""
        if self.in_transaction:
            await super().rollback()

    async def carry_out(self, how: Callable[..., object], *what: object) -> tuple[sqlite3.Cursor, Sequence[Any]]:
        """In the thread, by a method of its cursor: that, closed behind it, and all its rows."""
        in_thread: Callable[..., Awaitable[Any]] = self._execute
        cursor, rows = await in_thread(_carry_out, self._conn, how, what)
        return cursor, rows


def _carry_out(
    connection: sqlite3.Connection, how: Callable[..., object], what: Sequence[object]
) -> tuple[sqlite3.Cursor, Sequence[Any]]:
    cursor = connection.cursor()
    try:
        how(cursor, *what)
        return cursor, cursor.fetchall() if cursor.description else ()
    finally:
        cursor.close()


class Cursor:
    """As much of a cursor as SQLAlchemy asks for. Its rows are all here once it has executed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done: sqlite3.Cursor | None = None
        self._rows: Sequence[Any] = ()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> Self:
        """One statement."""
        self._done, self._rows = await self._connection.carry_out(sqlite3.Cursor.execute, statement, values)
        return self

    async def executemany(self, statement: str, many: Sequence[Sequence[Any]]) -> Self:
        """The same statement for each of many."""
        self._done, self._rows = await self._connection.carry_out(sqlite3.Cursor.executemany, statement, many)
        return self

    async def fetchall(self) -> Sequence[Any]:
        """All rows."""
        return self._rows

    async def close(self) -> None:
        """It is closed."""

    @property
    def description(self) -> Any:
        """The columns; None: it gave no rows."""
        return None if self._done is None else self._done.description

    @property
    def rowcount(self) -> int:
        """Rows that were changed; -1: unknown."""
        return -1 if self._done is None else self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Of the row that was inserted."""
        return None if self._done is None else self._done.lastrowid
