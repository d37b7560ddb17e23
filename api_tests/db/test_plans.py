"""What is asked for all the time is found by an index, and in its order: a page costs the same, however long the list is."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.page import encode_cursor
from app.db.session import Database
from app.db.url import file_of
from app.features.messages import store as messages
from app.features.notifications import store as notifications
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from benchmarks.history import Size, fill_postgresql, fill_sqlite

Ask = Callable[[AsyncSession], Awaitable[object]]
LATER = encode_cursor(str(new_id()))
BEFORE_ALL = UUID(int=0)


def _inbox(listed: notifications.Listed, cursor: str | None = None) -> Ask:
    return lambda session: notifications.page(session, "user-0", listed=listed, limit=50, cursor=cursor)


QUERIES: dict[str, tuple[Ask, str]] = {
    "first page of a room": (lambda session: messages.page_of_room(session, "room-0", limit=50, cursor=None), "room_id_id"),
    "later page of a room": (lambda session: messages.page_of_room(session, "room-0", limit=50, cursor=LATER), "room_id_id"),
    "last to a user": (lambda session: messages.newest_to_user(session, "user-0", 50), "recipient_id_id"),
    "messages that wait": (lambda session: messages.undelivered(session, ["user-0", "user-1"], BEFORE_ALL, 500), "undelivered"),
    "inbox": (_inbox("all"), "listed"),
    "later page of an inbox": (_inbox("all", LATER), "listed"),
    "unread ones": (_inbox("unread"), "unread"),
    "later page of unread ones": (_inbox("unread", LATER), "unread"),
    "unseen ones": (_inbox("unseen"), "unseen"),
    "archived ones": (_inbox("archived"), "archived"),
    "counts": (lambda session: notifications.counts(session, ["user-0"]), "unread"),
    "where a step ends": (lambda session: notifications.behind_unread(session, "user-0", 10, notifications.NEWEST), "unread"),
    "notifications that wait": (lambda session: notifications.undelivered(session, ["user-0"], BEFORE_ALL, 500), "unpushed"),
    "messages of the last hour": (lambda session: messages.count_since(session, utc_now()), "pk_messages"),
}
LONG = {"room_id_id", "recipient_id_id", "listed"}
"""Lists that may be so long that nobody would want to sort them."""


@pytest.fixture
def filled(database_url: str) -> str:
    """Enough that the planner has a choice."""
    size = Size(20_000, int(time.time() * 1_000), rooms=20, users=20)
    if (path := file_of(database_url)) is not None:
        fill_sqlite(str(path), size)
    else:
        fill_postgresql(database_url, size)
    return database_url


async def plans(database: Database, ask: Ask) -> list[str]:
    """How the database would answer what is asked."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _executemany):
        asked.append((statement, parameters))

    explain = "EXPLAIN QUERY PLAN " if database.engine.dialect.name == "sqlite" else "EXPLAIN "
    found = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    async with database.reading() as session:
        await ask(session)
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                connection = await session.connection()
                rows = (await connection.exec_driver_sql(explain + statement, parameters)).all()
                found.append("\n".join(str(row[-1]) for row in rows))
    return found


async def test_every_list_is_read_from_its_index_in_its_order(filled, database):
    for name, (ask, index) in QUERIES.items():
        for plan in await plans(database, ask):
            known_as = {index, "sqlite_autoindex_messages_1"} if index == "pk_messages" else {index}
            assert any(one in plan for one in known_as), f"{name}: {plan}"
            assert not any(word in plan for word in ("Seq Scan", "SCAN messages", "SCAN notifications")), f"{name}: {plan}"
            if index in LONG:
                assert not any(word in plan for word in ("Sort", "TEMP B-TREE")), f"{name}: {plan}"
