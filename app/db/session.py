"""Transactions. What `transaction()` has left without an error is on disk.

SQLite: WAL with `synchronous=FULL` (a power cut loses nothing that was committed), foreign keys on, and one writer at a time in
this process: a second one would only wait inside SQLite, holding a thread. PostgreSQL takes its own writers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.kernel.errors import Unavailable
from app.kernel.transaction import marked_open

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another process that writes before we answer 503."""

_WRITES = "wsx_writes"
"""Execution option of a transaction that will write: SQLite then takes the write lock at its start, not in its middle."""


class Database:
    """One engine and the two ways to use it. Lives as long as the application."""

    def __init__(self, url: str) -> None:
        self._is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = create_async_engine(url, pool_pre_ping=not self._is_sqlite)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writer = asyncio.Lock() if self._is_sqlite else nullcontext()
        if self._is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that is committed at the end of the block, or rolled back when it raises. Publish only after the block.

        Raises Unavailable when the database cannot be used now; then nothing was stored.
        """
        async with self._writer:
            with marked_open():
                try:
                    async with self._sessions() as session, session.begin():
                        await session.connection(execution_options={_WRITES: True})
                        yield session
                except (OperationalError, InterfaceError, ConnectionError) as error:
                    raise _unavailable(error) from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for queries only. Raises Unavailable when the database cannot be used now."""
        try:
            async with self._sessions() as session:
                yield session
        except (OperationalError, InterfaceError, ConnectionError) as error:
            raise _unavailable(error) from error

    async def check(self) -> None:
        """Raise Unavailable unless the database answers."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _unavailable(error: DBAPIError | ConnectionError) -> Unavailable:
    failure = Unavailable("the database cannot be used at the moment; nothing was stored, try again")
    failure.add_note(str(getattr(error, "orig", error)))
    return failure


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: SqlConnection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
