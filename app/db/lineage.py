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

    def __init__(self, find: Callable[[], Awaitable[Lineage]], lineages: Lineages) -> None:
        self._find = find
        self._lineages = lineages
        self._mine: Lineage | None = None
        """As this node has found it last."""

    async def look(self) -> None:
        """Look once. Raises Unavailable."""
        known = await self._lineages.read()  # first: of two nodes the slower one must not take the other's note for the future
        found, mine = await self._find(), self._mine
        if known is None or found.continues(known):
            await self._lineages.note(found)
        elif mine is None or not found.continues(mine):
            _log.warning("the database is another one, or an older copy of the one before: the journal begins anew")
            await self._lineages.begin_anew(found)
        else:  # each would begin the journal anew for the other, again and again
            _log.error("another node uses another database, or this one an older copy of it")
        self._mine = found


async def find_lineage(database: Database, *, counts: bool) -> Lineage:
    """Of this database, now. `counts`: a SQLite file counts how often it was asked. Raises Unavailable."""
    if database.engine.dialect.name != "sqlite":
        async with database.reading() as session:
            word, progress = (await session.execute(_POSTGRESQL)).one()
            return Lineage(word, progress)
    if not counts:
        async with database.reading() as session:
            return Lineage(str(await session.scalar(text("PRAGMA schema_version"))), 0)
    async with database.transaction() as session:
        schema, progress = [await session.scalar(text(f"PRAGMA {name}")) for name in ("schema_version", "user_version")]
        await session.execute(text(f"PRAGMA user_version = {int(progress or 0) + 1}"))
        return Lineage(str(schema), int(progress or 0) + 1)
