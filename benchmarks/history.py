"""A year of history, made inside the database: nothing is sent to it but a few statements, and the same numbers give the same rows.

The sizes are uneven, as they are where people talk: of 10,000 rooms the fullest has a twentieth of all messages, and the emptiest
a third of the average; so it is with the private messages and the notifications of users.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

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


def message_id(size: Size, number: int) -> str:
    """The id of a message in a room, of which the first has the number 0."""
    at_ms = size.since_ms + number * SPAN_MS // size.messages
    return str(UUID(f"{at_ms:012x}70008{number:015x}"))


class _Filling:
    """What fills the tables of one database."""

    def __init__(self, dialect: Dialect, size: Size) -> None:
        self._dialect = dialect
        self._size = size
        self._begun = dialect.moment.format(ms=size.since_ms)
        begin, length = (dialect.whole.format(number=number) for number in ("(i % 40)", "((i * 31) % 160)"))
        self._content = f"substr('{_TEXT}', 1 + {begin}, 20 + {length})"

    def statements(self) -> Iterator[str]:
        """In the order of their foreign keys."""
        size = self._size
        new = {"created_at": self._begun}
        user = {"id": "'user-' || i", "name": "'User ' || i", "roles": "'[]'", "status": "''"}
        yield self._insert("users", user | new, size.users)
        room = {"id": "'room-' || i", "name": "'Room ' || i", "is_private": self._dialect.false}
        yield self._insert("rooms", room | new, size.rooms)
        yield self._members()
        yield self._messages("000", size.messages, {"room_id": f"'room-' || {self._uneven(size.rooms)}"})
        yield self._messages("001", size.messages // PRIVATE_SHARE, {"recipient_id": f"'user-' || {self._uneven(size.users)}"})
        yield self._notifications(size.messages // NOTIFICATION_SHARE)

    def _members(self) -> str:
        member = {"room_id": f"'room-' || (i / {MEMBERS_OF_A_ROOM})", "user_id": f"'user-' || ((i * 7919) % {self._size.users})"}
        return self._insert("room_members", {**member, "joined_at": self._begun}, self._size.rooms * MEMBERS_OF_A_ROOM)

    def _messages(self, kind: str, count: int, place: Mapping[str, str]) -> str:
        at_ms, moment = self._spread(count)
        sender = f"((i * 40503) % {self._size.users})"
        written = {"sender_id": f"'user-' || {sender}", "author": f"'User ' || {sender}", "content": self._content}
        told = {"id": self._dialect.identity.format(ms=at_ms, kind=kind), "created_at": moment, "delivered_at": moment}
        return self._insert("messages", {**told, **place, **written}, count)

    def _notifications(self, count: int) -> str:
        at_ms, moment = self._spread(count)
        is_read = f"i < {count - count // UNREAD_SHARE}"
        values = {
            "id": self._dialect.identity.format(ms=at_ms, kind="002"),
            "user_id": f"'user-' || {self._uneven(self._size.users)}",
            "type": "'info'",
            "title": "'Number ' || i",
            "message": self._content,
            "created_at": moment,
            "delivered_at": moment,
            "seen_at": f"CASE WHEN {is_read} THEN {moment} END",
            "read_at": f"CASE WHEN {is_read} THEN {moment} END",
            "archived_at": f"CASE WHEN {is_read} AND i % {ARCHIVED_SHARE} = 0 THEN {moment} END",
        }
        return self._insert("notifications", values, count)

    def _uneven(self, count: int) -> str:
        """A number from 0 to below `count`, small ones far more often: the cube of something even."""
        even = "((i * 2654435761) % 4294967296) / 4294967296.0"
        return self._dialect.whole.format(number=f"({count} * {even} * {even} * {even})")

    def _spread(self, count: int) -> tuple[str, str]:
        """Even over the year: in milliseconds, and as a time."""
        at_ms = f"({self._size.since_ms} + i * {SPAN_MS} / {count})"
        return at_ms, self._dialect.moment.format(ms=at_ms)

    def _insert(self, table: str, values: Mapping[str, str], count: int) -> str:
        source = self._dialect.numbers.format(count=count)
        return " ".join(("INSERT INTO", table, f"({', '.join(values)})", "SELECT", ", ".join(values.values()), "FROM", source))


def fill_sqlite(path: str, size: Size) -> None:
    """Fill the file, whose tables are there and empty. Its indexes are made last, which is faster."""
    named = (
        "SELECT name, sql FROM sqlite_master "
        "WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (SELECT value FROM json_each(?))"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        indexes = connection.execute(named, [json.dumps(_FILLED)]).fetchall()
        for statement in (
            "PRAGMA synchronous=OFF",
            "PRAGMA cache_size=-1000000",
            *(f"DROP INDEX {name}" for name, _ in indexes),
            "BEGIN",
            *_Filling(SQLITE, size).statements(),
            "COMMIT",
            *(definition for _, definition in indexes),
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            connection.execute(statement)
    with Path(path).open("rb") as file:  # or the system would still be writing it while it is measured
        os.fsync(file.fileno())


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
                *_Filling(POSTGRESQL, size).statements(),
                *(definition for _, definition in indexes),
                "VACUUM ANALYZE",
                "CHECKPOINT",
            ):
                await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the loop of the caller may run
        thread.submit(asyncio.run, fill()).result()
