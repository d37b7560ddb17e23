"""A year of history, made inside the database: nothing is sent to it but a few statements, and the same numbers give the same rows.

The sizes are uneven, as they are where people talk: of 10,000 rooms the fullest has a twentieth of all messages, and the emptiest
a third of the average; so it is with the private messages and the notifications of users.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

import asyncpg

MEMBERS_OF_A_ROOM = 20
SPAN_MS = 365 * 86_400_000
PRIVATE_SHARE, NOTIFICATION_SHARE = 10, 10
"""One private message, and one notification, for so many messages in rooms."""
UNREAD_SHARE, ARCHIVED_SHARE = 20, 30
"""One of so many notifications: those of the last eighteen days are unread, and of the others some are archived."""
_FILLED = ("rooms", "users", "room_members", "messages", "notifications")
_TEXT = "the quick brown fox jumps over the lazy dog and " * 6


class Dialect(NamedTuple):
    """How one database spells what both can do."""

    numbers: str
    """Rows `i` from 0 to below {count}."""
    identity: str
    """A UUIDv7 of {ms}, with the number {i} and a word {kind} of three hexadecimal digits that keeps tables apart."""
    moment: str
    """A time, of {ms} since 1970."""
    whole: str
    """{number}, which is not negative, without what is behind its point."""
    false: str


SQLITE = Dialect(
    "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n)",
    "printf('%012x7{kind}8%015x', {ms}, i)",
    "strftime('%Y-%m-%d %H:%M:%f000', ({ms}) / 1000.0, 'unixepoch')",
    "CAST({number} AS INTEGER)",
    "0",
)
POSTGRESQL = Dialect(
    "(SELECT i::bigint FROM generate_series(0, {count} - 1) AS n(i)) AS n",
    "(lpad(to_hex({ms}), 12, '0') || '7{kind}8' || lpad(to_hex(i), 15, '0'))::uuid",
    "to_timestamp(({ms}) / 1000.0)",
    "floor({number})::integer",
    "false",
)


class Size(NamedTuple):
    """How much there is, and when it ends. `messages`: those in rooms."""

    messages: int
    until_ms: int
    rooms: int = 10_000
    users: int = 10_000

    @property
    def since_ms(self) -> int:
        """When it begins."""
        return self.until_ms - SPAN_MS


def statements(dialect: Dialect, size: Size) -> Iterator[str]:
    """What fills the tables."""

    def numbers(count: int) -> str:
        return dialect.numbers.format(count=count)

    def spread(count: int) -> str:
        return f"({size.since_ms} + i * {SPAN_MS} / {count})"

    def uneven(count: int) -> str:
        """A number from 0 to below `count`, small ones far more often: the cube of something even."""
        even = "((i * 2654435761) % 4294967296) / 4294967296.0"
        return dialect.whole.format(number=f"({count} * {even} * {even} * {even})")

    begun = dialect.moment.format(ms=size.since_ms)
    yield (
        "INSERT INTO users (id, name, roles, status, created_at) "
        f"SELECT 'user-' || i, 'User ' || i, '[]', '', {begun} FROM {numbers(size.users)}"
    )
    yield (
        "INSERT INTO rooms (id, name, is_private, created_at) "
        f"SELECT 'room-' || i, 'Room ' || i, {dialect.false}, {begun} FROM {numbers(size.rooms)}"
    )
    yield (
        "INSERT INTO room_members (room_id, user_id, joined_at) "
        f"SELECT 'room-' || (i / {MEMBERS_OF_A_ROOM}), 'user-' || ((i * 7919) % {size.users}), {begun} "
        f"FROM {numbers(size.rooms * MEMBERS_OF_A_ROOM)}"
    )
    content = (
        f"substr('{_TEXT}', 1 + {dialect.whole.format(number='(i % 40)')}, 20 + {dialect.whole.format(number='((i * 31) % 160)')})"
    )
    sender = f"'user-' || ((i * 40503) % {size.users}), 'User ' || ((i * 40503) % {size.users})"
    for kind, count, place in (
        ("000", size.messages, f"'room-' || {uneven(size.rooms)}, NULL"),
        ("001", size.messages // PRIVATE_SHARE, f"NULL, 'user-' || {uneven(size.users)}"),
    ):
        at = spread(count)
        moment = dialect.moment.format(ms=at)
        yield (
            "INSERT INTO messages (id, room_id, recipient_id, sender_id, author, content, created_at, delivered_at) "
            f"SELECT {dialect.identity.format(ms=at, kind=kind)}, {place}, {sender}, {content}, {moment}, {moment} FROM {numbers(count)}"
        )
    count = size.messages // NOTIFICATION_SHARE
    at = spread(count)
    moment = dialect.moment.format(ms=at)
    read = f"CASE WHEN i < {count - count // UNREAD_SHARE} THEN {moment} END"
    archived = f"CASE WHEN i < {count - count // UNREAD_SHARE} AND i % {ARCHIVED_SHARE} = 0 THEN {moment} END"
    yield (
        "INSERT INTO notifications "
        "(id, user_id, type, title, message, created_at, delivered_at, seen_at, read_at, archived_at) "
        f"SELECT {dialect.identity.format(ms=at, kind='002')}, 'user-' || {uneven(size.users)}, 'info', 'Number ' || i, {content}, "
        f"{moment}, {moment}, {read}, {read}, {archived} FROM {numbers(count)}"
    )


def fill_sqlite(path: str, size: Size) -> None:
    """Fill the file, whose tables are there and empty. Its indexes are made last, which is faster."""
    named = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN {_FILLED}"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        indexes = connection.execute(named).fetchall()
        for statement in (
            "PRAGMA synchronous=OFF",
            "PRAGMA cache_size=-1000000",
            *(f"DROP INDEX {name}" for name, _ in indexes),
            "BEGIN",
            *statements(SQLITE, size),
            "COMMIT",
            *(definition for _, definition in indexes),
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            connection.execute(statement)


def fill_postgresql(url: str, size: Size) -> None:
    """Fill the database, whose tables are there and empty, as its superuser: foreign keys are not looked at."""
    named = (
        "SELECT indexname, indexdef FROM pg_indexes "
        "WHERE schemaname = 'public' AND tablename = ANY($1) AND indexname NOT LIKE 'pk_%'"
    )

    async def fill() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            indexes = await connection.fetch(named, _FILLED)
            for statement in (
                "SET session_replication_role = replica",
                "SET synchronous_commit = off",
                "SET maintenance_work_mem = '512MB'",
                *(f"DROP INDEX {name}" for name, _ in indexes),
                *statements(POSTGRESQL, size),
                *(definition for _, definition in indexes),
                "VACUUM ANALYZE",
                "CHECKPOINT",
            ):
                await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the loop of the caller may run
        thread.submit(asyncio.run, fill()).result()
