"""Whether the database is still the one that it was: a restore puts another one in its place, or an older one.

What pages were told since is in their screens and in the journal, and not in the database any more. So the journal begins anew, and
pages are told `gap`. Nothing is written for it on PostgreSQL. A SQLite file has two numbers in its head that are the program's to
use: one is its name, drawn once; the other counts looks. What the operator does to the tables (`CREATE INDEX`, `VACUUM`, a
migration) leaves both as they are. Each copy that `wsx backup` makes has a name of its own; one that was made otherwise tells by
its count that it is older.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Database

_POSTGRESQL: Final = text("""
SELECT concat_ws('/',
    (SELECT system_identifier FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    to_regclass('alembic_version')::oid
), pg_snapshot_xmax(pg_current_snapshot())::text::bigint
""")
"""The server, its timeline (a recovery to a point in time and the promotion of a standby begin another), the database, and one of
its tables, which a restore makes anew; and how many transactions there have been, which only ever grows."""

NAME: Final = "PRAGMA application_id"
"""Of a SQLite file, which carries it in its head; 0: it has none yet."""
_COUNT: Final = "PRAGMA user_version"

_log = structlog.get_logger()


class Lineage(NamedTuple):
    """What can be said of a database without looking at what is in it."""

    word: str
    """Of another database it is another."""
    progress: int
    """In one database it never decreases; in an older copy of it, it is smaller."""

    def continues(self, earlier: "Lineage") -> bool:
        """Whether this is the same database as then, with all that it had then."""
        return self.word == earlier.word and self.progress >= earlier.progress


class Look(NamedTuple):
    """At a database."""

    found: Lineage
    left: Lineage
    """As it was left: a file counts how often it was looked at."""


class Lineages(Protocol):
    """What is known of the database by those who know the journal."""

    async def read(self) -> Lineage | None:
        """How it was found last; None: never. Raises Unavailable."""

    async def note(self, lineage: Lineage) -> None:
        """It was found so, and continues what is known. Raises Unavailable."""

    async def begin_anew(self, lineage: Lineage) -> None:
        """It was found so, and does not: the journal begins anew, and pages are told. Raises Unavailable."""


class OwnLineages:
    """Of the only node, whose journal lives as long as it does."""

    def __init__(self) -> None:
        self._known: Lineage | None = None
        self.on_anew: Callable[[], None] | None = None
        """Set by whoever has the journal."""

    async def read(self) -> Lineage | None:
        """As the port says."""
        return self._known

    async def note(self, lineage: Lineage) -> None:
        """As the port says."""
        self._known = lineage

    async def begin_anew(self, lineage: Lineage) -> None:
        """As the port says."""
        self._known = lineage
        if self.on_anew is not None:
            self.on_anew()


class LineageWatch:
    """Looks whether the database is still the one that it was."""

    def __init__(self, look: Callable[[], Awaitable[Look]], lineages: Lineages) -> None:
        self._look = look
        self._lineages = lineages
        self._mine: Lineage | None = None
        """As this node has left it last."""

    async def look(self) -> None:
        """Look once. Raises Unavailable."""
        known = await self._lineages.read()  # first: of two nodes the slower one must not take the other's note for the future
        (found, left), mine = await self._look(), self._mine
        if known is None or found.continues(known):
            await self._lineages.note(left)
        elif mine is None or not found.continues(mine):
            _log.warning("the database is another one, or an older copy of the one before: the journal begins anew")
            await self._lineages.begin_anew(left)
        else:  # each would begin the journal anew for the other, again and again
            _log.error("another node uses another database, or this one an older copy of it")
        self._mine = left


def new_name() -> int:
    """For a SQLite file: another one than that of any other."""
    return secrets.randbelow(2**31 - 1) + 1


class Looks:
    """At a database, as it is now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted_commits = -1
        """How many had been made before the last look that counted."""

    async def look(self) -> Look:
        """Raises Unavailable.

        A SQLite file counts the first look of each process, and those behind which something was written since the one before: a
        copy that has missed nothing need not be told from it.
        """
        if self._database.engine.dialect.name != "sqlite":
            async with self._database.reading() as session:
                found = Lineage(*(await session.execute(_POSTGRESQL)).one())
            return Look(found, found)
        if self._database.commits != self._counted_commits:
            return await self._count()
        async with self._database.reading() as session:
            found = await _head(session)
        return Look(found, found)

    async def _count(self) -> Look:
        counted = self._database.commits + 1  # with this one
        async with self._database.transaction() as session:
            found = await _head(session)
            left = Lineage(found.word if found.word != "0" else str(new_name()), found.progress + 1)
            connection = await session.connection()
            for number in (f"{NAME} = {left.word}", f"{_COUNT} = {left.progress}"):
                await connection.exec_driver_sql(number)  # another text each time: none that SQLAlchemy should keep
        self._counted_commits = counted
        return Look(found, left)


async def _head(session: AsyncSession) -> Lineage:
    name, count = await session.scalar(text(NAME)), await session.scalar(text(_COUNT))
    return Lineage(str(name), int(count or 0))
