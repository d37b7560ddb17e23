"""What is SQLite's own.

WAL with `synchronous=FULL` (a power cut loses nothing that was committed), foreign keys on, and one writer at a time in this
process: a second one would only wait inside SQLite, holding a thread.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db import round_trips
from app.db.backend import WRITES, Backend, Commit, Done
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable

LONG_LOG_BYTES = 33_554_432
"""Length of the write-ahead log from which on it is emptied. SQLite itself begins it anew after 4 MiB, in the commit of whoever
writes, unless somebody reads it in that moment: who reads for minutes, or many of whom one always does, would let it grow for ever.
"""
EMPTY_WAIT_MS = 100
"""How long those who read are waited for then; who begins meanwhile does not read the log."""
EMPTY_EVERY_S = 5.0
"""Seconds between two tries."""
BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another process that writes before we answer 503."""
TURN_TIMEOUT_S = 5.0
"""How long a writer waits for those of this process that came before. Behind one that waits for another process they would wait for
that one's time, and each for its own, one after the other."""

_PRIMARY = 0xFF
"""The bits of an error code that are its kind; the others say more of it."""
_MISTAKES = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE})
"""No such column, no such value: Python has most of them under one name with a file that is locked."""
_EMPTY = "no such table"
"""Under the same code: another file, or an empty one, was put in the place of ours."""

_log = structlog.get_logger()


class Sqlite(Backend):
    """One file, one process, one writer."""

    reading: Mapping[str, Any] = {WRITES: False}
    check_timeout_s = None  # readers wait for nobody, and who is cut off in SQLite's thread leaves a connection that nobody closes

    lanes = 1

    def __init__(self) -> None:
        self._writer = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "database writer")
        self._in_thread: Engine | None = None
        self._wal = Path()
        """Its write-ahead log. Made once: Python interns the parts of each path, in a table that is made anew when it is full."""
        self._emptied_at = -EMPTY_EVERY_S

    def make_engine(self, url: str) -> AsyncEngine:
        """An engine whose connections are prepared."""
        engine = create_async_engine(
            url,
            pool_use_lifo=True,  # the one used last, whose pages are still in its cache unless somebody wrote
            hide_parameters=True,
            connect_args={"async_creator_fn": round_trips.Connection},
        )
        _prepared(engine.sync_engine)
        return engine

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One writer after the other. Raises TimeoutError."""
        async with asyncio.timeout(TURN_TIMEOUT_S):
            await self._writer.acquire()
        try:
            yield
            await self._empty_long_log()
        finally:
            self._writer.release()

    async def carry_out(self, engine: AsyncEngine, work: Callable[[Connection], Done], commit: Commit) -> Done:
        """In a thread, from the first statement to the commit.

        By the other driver each statement goes to a thread and comes back four times, which takes three times as long.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._carry_out, engine, work, commit)

    def _carry_out(self, engine: AsyncEngine, work: Callable[[Connection], Done], commit: Commit) -> Done:
        if self._in_thread is None:
            url = engine.url.set(drivername="sqlite+pysqlite")
            self._wal = Path(f"{url.database}-wal")
            self._in_thread = _prepared(create_engine(url, hide_parameters=True)).execution_options(**{WRITES: True})
        with self._in_thread.begin() as connection:
            commit.is_connected = True
            return work(connection)

    async def _empty_long_log(self) -> None:
        """By the thread, whose connection alone does that; and only where it has written."""
        engine = self._in_thread
        if engine is None or monotonic() - self._emptied_at < EMPTY_EVERY_S or _log_bytes(self._wal) < LONG_LOG_BYTES:
            return
        self._emptied_at = monotonic()
        try:
            is_empty = await asyncio.get_running_loop().run_in_executor(self._thread, _empty_log, engine)
        except sqlite3.Error as error:  # what was written is on disk; whoever wrote it is not to be told otherwise
            _log.warning("the write-ahead log is long, and cannot be emptied", bytes=_log_bytes(self._wal), error=str(error))
            return
        if not is_empty:
            _log.warning("the write-ahead log is long, as somebody reads it", bytes=_log_bytes(self._wal))

    async def close(self) -> None:
        """Close the connection of the thread, and end that."""
        if self._in_thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._in_thread.dispose)
        self._thread.shutdown()

    def is_passing(self, error: DBAPIError) -> bool:
        """Locked, full, not to be opened, without its tables: by what others do to the file. Not where a statement is wrong."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        is_mistake = code is not None and code & _PRIMARY in _MISTAKES and not str(error.orig).startswith(_EMPTY)
        return isinstance(error, OperationalError | InterfaceError) and not is_mistake

    def kind_of(self, _error: Exception, /) -> type[Unavailable]:
        """No other: there is one writer, who holds all there is."""
        return Unavailable

    def may_be_stored(self, _error: Exception, /) -> bool:
        """Never: its commit is a call that answers."""
        return False


def _log_bytes(wal: Path) -> int:
    try:
        return wal.stat().st_size
    except FileNotFoundError:
        return 0


def _empty_log(engine: Engine) -> bool:
    """Put all of it into the database, unless somebody who reads keeps it."""
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout={EMPTY_WAIT_MS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ((is_kept, *_),) = cursor.fetchall()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return not is_kept


def _prepared(engine: Engine) -> Engine:
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin` does
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    if writes is not False:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
