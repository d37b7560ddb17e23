"""Queries on notifications. The number of statements does not depend on the number of users or notifications."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Connection,
    CursorResult,
    Integer,
    Select,
    bindparam,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.dialects import is_sqlite
from app.db.ids import among_bound, bound, bound_one, in_order_of
from app.db.many import Row, inserting
from app.db.page import NewestFirst, Slice
from app.db.writes import Kind
from app.features.notifications.model import NotificationRow
from app.features.unsent import UnsentRow
from app.features.users import ensuring, holding, named
from app.kernel.errors import NotFound

OLDEST, NEWEST = UUID(int=0), UUID(int=2**128 - 1)
"""Older and newer than any."""
_STORED: Final = ("id", "user_id", "type", "title", "message", "created_at")

Found = TypeVar("Found")
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
    inbox = _inbox(listed, on_sqlite=is_sqlite(session))
    return await inbox.page(session, limit=limit, cursor=cursor, **bound_one(session, user_id))


@cache
def _inbox(listed: Listed, *, on_sqlite: bool) -> NewestFirst[NotificationRow]:
    of_one = in_order_of(select(NotificationRow), NotificationRow.user_id, on_sqlite=on_sqlite)
    return NewestFirst(_listed(of_one, listed), NotificationRow.id)


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
    """How it stands with the users of new notifications."""

    waiting: Mapping[str, Counts]
    new_users: AbstractSet[str]
    """Those who had no row."""


def arrive(connection: Connection, arrivals: Sequence[Arriving]) -> Sequence[Arrived]:
    """Store them, and make a row of each user who has none."""
    rows = [row for arriving in arrivals for row in arriving.rows]
    users = {row.user_id: named(row.user_id) for row in rows}
    made = set(connection.scalars(*ensuring(connection, users.values())))
    if not is_sqlite(connection):  # it has one writer
        connection.execute(holding(connection, users))
    connection.execute(*inserting(connection, NotificationRow, [{name: getattr(row, name) for name in _STORED} for row in rows]))
    connection.execute(*inserting(connection, UnsentRow, [note for arriving in arrivals for note in arriving.notes]))
    waiting = _counts_of(users, connection.execute(_counting(on_sqlite=is_sqlite(connection)), bound(connection, users)))
    return [_arrived([row.user_id for row in arriving.rows], waiting, made) for arriving in arrivals]


def _arrived(user_ids: Collection[str], waiting: Mapping[str, Counts], made: set[str]) -> Arrived:
    return Arrived({user_id: waiting[user_id] for user_id in user_ids}, made & set(user_ids))


ARRIVING: Final[Kind[Arriving, Arrived]] = Kind("notifications", arrive)


async def counts(session: AsyncSession, user_ids: Collection[str]) -> dict[str, Counts]:
    """What waits for each of the users; a user for whom nothing waits is there with zeros."""
    return _counts_of(user_ids, await session.execute(_counting(on_sqlite=is_sqlite(session)), bound(session, user_ids)))


@cache
def _counting(*, on_sqlite: bool) -> CompoundSelect[str, int, int]:
    table = NotificationRow

    def waiting(kind: int, moment: InstrumentedAttribute[datetime | None]) -> Select[str, int, int]:
        of_users = among_bound(table.user_id, on_sqlite=on_sqlite), table.archived_at.is_(None), moment.is_(None)
        return select(table.user_id, literal(kind), func.count()).where(*of_users).group_by(table.user_id)

    return union_all(waiting(0, table.read_at), waiting(1, table.seen_at))


def _counts_of(user_ids: Collection[str], counted: Iterable[Any]) -> dict[str, Counts]:
    found = {user_id: [0, 0] for user_id in user_ids}
    for user_id, kind, number in counted:
        found[user_id][kind] = number
    return {user_id: Counts(*numbers) for user_id, numbers in found.items()}


async def mark_read(session: AsyncSession, user_id: str, now: datetime, *, newest: UUID = NEWEST, behind: UUID = OLDEST) -> int:
    """Mark what a user has not read, up to `newest` and newer than `behind`. Returns how many there were."""
    table = NotificationRow
    is_unread = table.user_id == user_id, table.read_at.is_(None), table.archived_at.is_(None)
    statement = update(table).where(*is_unread, table.id > behind, table.id <= newest)
    done = await session.execute(statement.values(read_at=now, seen_at=func.coalesce(table.seen_at, now)))
    return cast("CursorResult[Any]", done).rowcount


async def behind_unread(session: AsyncSession, user_id: str, number: int, newest: UUID) -> UUID | None:
    """Of what a user has not read, up to `newest`, the one behind so many newer ones; None: there are no more than these."""
    values = {**bound_one(session, user_id), "number": number, "newest": newest}
    return cast("UUID | None", await session.scalar(_behind_unread(on_sqlite=is_sqlite(session)), values))


@cache
def _behind_unread(*, on_sqlite: bool) -> Select[UUID]:
    table = NotificationRow
    of_one = in_order_of(select(table.id), table.user_id, on_sqlite=on_sqlite).where(table.id <= bindparam("newest"))
    return _listed(of_one, "unread").order_by(table.id.desc()).offset(bindparam("number", type_=Integer())).limit(1)


async def undelivered(session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int) -> Sequence[NotificationRow]:
    """What was never pushed to these users, and neither read nor archived meanwhile, oldest first, behind this one."""
    values = {**bound(session, user_ids), "after": after, "limit": limit}
    return (await session.scalars(_undelivered(on_sqlite=is_sqlite(session)), values)).all()


@cache
def _undelivered(*, on_sqlite: bool) -> Select[NotificationRow]:
    table = NotificationRow
    of_users = among_bound(table.user_id, on_sqlite=on_sqlite)
    is_waiting = table.delivered_at.is_(None), table.read_at.is_(None), table.archived_at.is_(None)
    query = select(table).where(of_users, *is_waiting, table.id > bindparam("after", type_=table.id.type))
    return query.order_by(table.id).limit(bindparam("limit", type_=Integer()))


def _listed(query: Select[Found], listed: Listed) -> Select[Found]:
    """Those on this list. In the order of a moment that none of them has, which is that of the index of these rows alone."""
    table = NotificationRow
    if listed == "archived":
        return query.where(table.archived_at.is_not(None))
    query = query.where(table.archived_at.is_(None))
    match listed:
        case "unread":
            return query.where(table.read_at.is_(None)).order_by(table.read_at.desc())
        case "unseen":
            return query.where(table.seen_at.is_(None)).order_by(table.seen_at.desc())
        case "all":
            return query
