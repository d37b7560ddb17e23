"""Transactions. What `transaction()` has left without an error is on disk.

What differs between databases is in `app.db.sqlite` and `app.db.postgresql`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.db.backend import WRITES, Backend, Commit, Done, Overruled
from app.db.postgresql import Postgresql
from app.db.sqlite import Sqlite
from app.db.url import is_sqlite
from app.db.writer import Job, Kind, Result, Writer
from app.kernel.errors import Unavailable, Unclear
from app.kernel.transaction import marked_open

BEFORE_COMMIT: ContextVar[Callable[[Connection], None] | None] = ContextVar("before_commit", default=None)
"""What is done at the end of each transaction of the task that set it, in the transaction: it is stored if the rest is."""

_NOT_STORED = "the database cannot be used at the moment; nothing was stored, try again"
_UNCLEAR = "the database was lost before it confirmed; this may be stored or not, look before you try again"


class Database:
    """One engine and the three ways to use it. Lives as long as the application."""

    def __init__(self, url: str) -> None:
        self._backend: Backend = Sqlite() if is_sqlite(url) else Postgresql()
        self.engine = self._backend.make_engine(url)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.writer = Writer(self._commit, self._backend.lanes)
        self.commits = 0
        """Transactions of this process that were committed."""

    async def write(self, kind: Kind[Job, Result], job: Job, *, rows: int = 1, lane: str = "") -> Result:
        """Store a job together with others, as `Writer.write` does. Publish only behind it."""
        return await self.writer.write(kind, job, rows=rows, lane=lane, before_commit=BEFORE_COMMIT.get())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that is committed at the end of the block, or rolled back when it raises. Publish only after the block.

        Raises Unavailable when the database cannot be used now; then nothing was stored, unless it is Unclear.
        """
        commit = Commit()
        with self._told(commit):
            async with self._backend.turn():
                with marked_open():
                    async with self._sessions() as session, session.begin():
                        await session.connection(execution_options={WRITES: True})
                        commit.is_connected = True
                        yield session
                        if (before_commit := BEFORE_COMMIT.get()) is not None:
                            await (await session.connection()).run_sync(before_commit)
                        commit.has_begun = True
                    self.commits += 1

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for queries only, of which each sees what is committed by then; none can hold a row.

        Raises Unavailable when the database cannot be used now.
        """
        commit = Commit()
        with self._told(commit):
            async with self._sessions() as session:
                await session.connection(execution_options=self._backend.reading)
                commit.is_connected = True
                yield session

    async def check(self) -> None:
        """Raise Unavailable unless the database answers."""
        try:
            async with asyncio.timeout(self._backend.check_timeout_s), self.reading() as session:
                await session.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise _noted(Unavailable(_NOT_STORED), error) from error

    async def close(self) -> None:
        """Write what waits to be written, and close all connections."""
        await self.writer.close()
        await self._backend.close()
        await self.engine.dispose()

    async def _commit(self, work: Callable[[Connection], Done]) -> Done:
        commit = Commit()
        with self._told(commit):
            async with self._backend.turn():
                done = await self._backend.carry_out(self.engine, work, commit)
        self.commits += 1
        return done

    @contextmanager
    def _told(self, commit: Commit) -> Iterator[None]:
        """Raise Unavailable for what passes by itself."""
        try:
            yield
        except (DBAPIError, NoConnectionFree, OSError) as error:
            if commit.is_connected and not self._is_passing(error):
                raise
            if commit.has_begun and self._backend.may_be_stored(error):
                raise _noted(Unclear(_UNCLEAR), error) from error
            kind = Overruled if self._backend.is_overruled(error) else Unavailable
            raise _noted(kind(_NOT_STORED), error) from error

    def _is_passing(self, error: DBAPIError | NoConnectionFree | OSError) -> bool:
        if isinstance(error, DBAPIError):
            return self._backend.is_passing(error)
        return isinstance(error, NoConnectionFree | ConnectionError | TimeoutError)


def _noted(failure: Unavailable, error: Exception) -> Unavailable:
    failure.add_note(str(getattr(error, "orig", error)) or type(error).__name__)
    return failure
