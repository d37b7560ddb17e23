"""Whether the database is still the one that it was: a restore puts another one in its place, or an older one.

What pages were told since is in their screens and in the journal, and not in the database any more. So the journal begins anew, and
pages are told `gap`. Nothing is written for it on PostgreSQL; on SQLite a number in the file's head is, where it must outlast us.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

import structlog
from sqlalchemy import text

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

_SCHEMA: Final = text("PRAGMA schema_version")
"""Of SQLite: what is restored into a file while it is open has another one there."""

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

    counts: bool
    """Whether that outlasts this process, so that the database must tell its age by itself."""

    async def read(self) -> Lineage | None:
        """How it was found last; None: never. Raises Unavailable."""

    async def note(self, lineage: Lineage) -> None:
        """It was found so, and continues what is known. Raises Unavailable."""

    async def begin_anew(self, lineage: Lineage) -> None:
        """It was found so, and does not: the journal begins anew, and pages are told. Raises Unavailable."""


class OwnLineages:
    """Of the only node, whose journal lives as long as it does."""

    counts = False

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


async def look_at(database: Database, *, counts: bool) -> Look:
    """How it is now. `counts`: a SQLite file counts this look. Raises Unavailable."""
    if counts and database.engine.dialect.name == "sqlite":
        return await _count(database)
    async with database.reading() as session:
        if database.engine.dialect.name == "sqlite":
            found = Lineage(str(await session.scalar(_SCHEMA)), 0)
        else:
            found = Lineage(*(await session.execute(_POSTGRESQL)).one())
    return Look(found, found)


async def _count(database: Database) -> Look:
    async with database.transaction() as session:
        word, progress = str(await session.scalar(_SCHEMA)), int(await session.scalar(text("PRAGMA user_version")) or 0)
        await session.execute(text(f"PRAGMA user_version = {progress + 1}"))
    return Look(Lineage(word, progress), Lineage(word, progress + 1))
