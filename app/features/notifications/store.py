"""Queries on notifications. The number of statements does not depend on the number of users or notifications."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, CursorResult, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.dialects import Executes, is_sqlite
from app.db.ids import among
from app.db.many import Row, inserting
from app.db.page import Slice, newest_first
from app.db.writer import Kind
from app.features.notifications.model import NotificationRow
from app.features.unsent import UnsentRow
from app.features.users import ensuring, holding, named
from app.kernel.errors import NotFound

_STORED: Final = ("id", "user_id", "type", "title", "message", "created_at")

Listed = Literal["all", "unread", "unseen", "archived"]
"""Which of a user's notifications a list shows. `all`: those that are not archived."""


class Counts(NamedTuple):
    """How many notifications of a user wait. Archived ones do not."""

    unread: int
    unseen: int


async def find(session: AsyncSession, notification_id: UUID, *, anew: bool = False) -> NotificationRow:
    """One notification; `anew`: as it is by now, though the session knows it. Raises NotFound."""
    row = await session.get(NotificationRow, notification_id, populate_existing=anew)
    if row is None:
        message = "no notification has this id"
        raise NotFound(message)
    return row


async def page(session: AsyncSession, user_id: str, *, listed: Listed, limit: int, cursor: str | None) -> Slice[NotificationRow]:
    """One page of a user's notifications, newest first."""
    query = select(NotificationRow).where(NotificationRow.user_id == user_id, *_listed(listed))
    return await newest_first(session, query, NotificationRow.id, limit=limit, cursor=cursor)


async def newest(session: AsyncSession, user_id: str, limit: int) -> Sequence[NotificationRow]:
    """The newest of a user's list, newest first."""
    return (await page(session, user_id, listed="all", limit=limit, cursor=None)).rows


async def on_the_list(session: AsyncSession, notification_ids: Collection[str]) -> Sequence[NotificationRow]:
    """Those of these that are on the list of their user, oldest first."""
    table = NotificationRow
    query = select(table).where(table.id.in_(list(map(UUID, notification_ids))), table.archived_at.is_(None))
    return (await session.scalars(query.order_by(table.id))).all()


async def by_id(session: AsyncSession, notification_ids: Collection[UUID]) -> Sequence[NotificationRow]:
    """Those of these that there are."""
    return (await session.scalars(select(NotificationRow).where(NotificationRow.id.in_(notification_ids)))).all()


async def states(session: AsyncSession, notification_ids: Collection[UUID]) -> dict[UUID, Sequence[datetime | None]]:
    """When each of these that there is was seen, read, archived."""
    table = NotificationRow
    query = select(table.id, table.seen_at, table.read_at, table.archived_at).where(table.id.in_(notification_ids))
    return {notification_id: moments for notification_id, *moments in await session.execute(query)}


class Arriving(NamedTuple):
    """New notifications, at most one for each user, and the notes of their pushes."""

    rows: Sequence[NotificationRow]
    notes: Sequence[Row]


class Arrived(NamedTuple):
    """What came of it."""

    waiting: Mapping[str, Counts]
    """For each of its users, then."""
    new_users: Collection[str]
    """Those of them who were not known here before."""


def arrive(connection: Connection, arrivals: Sequence[Arriving]) -> Sequence[Arrived]:
    """Store them, and make a row of each user who has none."""
    rows = [row for arriving in arrivals for row in arriving.rows]
    users = {row.user_id: named(row.user_id) for row in rows}
    new_users = set(connection.scalars(*ensuring(connection, users.values())))
    if not is_sqlite(connection):  # it has one writer
        connection.execute(holding(connection, users))
    connection.execute(*inserting(connection, NotificationRow, [{name: getattr(row, name) for name in _STORED} for row in rows]))
    connection.execute(*inserting(connection, UnsentRow, [note for arriving in arrivals for note in arriving.notes]))
    waiting = _counts_of(users, connection.execute(_counting(connection, users)))
    return [_arrived([row.user_id for row in arriving.rows], waiting, new_users) for arriving in arrivals]


def _arrived(user_ids: Collection[str], waiting: Mapping[str, Counts], new_users: Collection[str]) -> Arrived:
    return Arrived({one: waiting[one] for one in user_ids}, {one for one in user_ids if one in new_users})


ARRIVING: Final[Kind[Arriving, Arrived]] = Kind("notifications", arrive)


async def counts(session: AsyncSession, user_ids: Collection[str]) -> dict[str, Counts]:
    """What waits for each of the users; a user for whom nothing waits is there with zeros."""
    return _counts_of(user_ids, await session.execute(_counting(session, user_ids)))


def _counting(executes: Executes, user_ids: Collection[str]) -> Select[str, int, int]:
    table = NotificationRow
    unread = func.count().filter(table.read_at.is_(None))
    unseen = func.count().filter(table.seen_at.is_(None))
    query = select(table.user_id, unread, unseen).where(
        among(executes, table.user_id, user_ids), table.archived_at.is_(None), table.read_at.is_(None) | table.seen_at.is_(None)
    )
    return query.group_by(table.user_id)


def _counts_of(user_ids: Collection[str], counted: Iterable[Any]) -> dict[str, Counts]:
    found = {user_id: Counts(*numbers) for user_id, *numbers in counted}
    return {user_id: found.get(user_id, Counts(0, 0)) for user_id in user_ids}


async def mark_all_read(session: AsyncSession, user_id: str, now: datetime) -> int:
    """Mark all that a user has not read. Returns how many there were."""
    table = NotificationRow
    statement = update(table).where(table.user_id == user_id, table.read_at.is_(None), table.archived_at.is_(None))
    done = await session.execute(statement.values(read_at=now, seen_at=func.coalesce(table.seen_at, now)))
    return cast("CursorResult[Any]", done).rowcount


async def undelivered(session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int) -> Sequence[NotificationRow]:
    """What was never pushed to these users, and neither read nor archived meanwhile, oldest first, behind this one."""
    table = NotificationRow
    is_waiting = table.delivered_at.is_(None), table.read_at.is_(None), table.archived_at.is_(None)
    query = select(table).where(among(session, table.user_id, user_ids), *is_waiting, table.id > after)
    return (await session.scalars(query.order_by(table.id).limit(limit))).all()


def _listed(listed: Listed) -> list[ColumnElement[bool]]:
    table = NotificationRow
    match listed:
        case "all":
            return [table.archived_at.is_(None)]
        case "unread":
            return [table.archived_at.is_(None), table.read_at.is_(None)]
        case "unseen":
            return [table.archived_at.is_(None), table.seen_at.is_(None)]
        case "archived":
            return [table.archived_at.is_not(None)]
