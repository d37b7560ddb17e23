"""Queries on messages; and what is stored when people say something: of many at once by a few statements, however many they are."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Connection, Integer, Select, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.dialects import is_sqlite
from app.db.ids import among, among_bound, bound, bound_one, in_order_of
from app.db.many import inserting
from app.db.page import NewestFirst, Slice
from app.db.writes import Kind
from app.features.messages.model import MessageRow
from app.features.rooms import keeping
from app.features.unsent import UnsentRow
from app.features.users import UserRow, ensuring
from app.kernel.errors import NotFound
from app.kernel.identity import User
from app.kernel.ids import first_id_of

_STORED: Final = ("id", "room_id", "recipient_id", "sender_id", "author", "content", "created_at")


class Saying(NamedTuple):
    """A new message, and what is stored with it."""

    row: MessageRow
    note: Mapping[str, Any]
    """Of its push."""
    people: Collection[User]
    """They get rows, if they have none. Whom it is written to must be among them, or have one."""


def _say(connection: Connection, sayings: Sequence[Saying]) -> Sequence[NotFound | None]:
    rooms = _rooms_of(connection, sayings)
    users = _recipients_of(connection, sayings)
    outcomes = [_refusal(saying, rooms, users) for saying in sayings]
    stored = [saying for saying, refusal in zip(sayings, outcomes, strict=True) if refusal is None]
    if people := {user.id: user for saying in stored for user in saying.people}:
        connection.execute(*ensuring(connection, people.values()))
    if stored:
        rows = [{name: getattr(saying.row, name) for name in _STORED} for saying in stored]
        connection.execute(*inserting(connection, MessageRow, rows))
        connection.execute(*inserting(connection, UnsentRow, [saying.note for saying in stored]))
    return outcomes


SAYING: Final[Kind[Saying, None]] = Kind("messages", _say)


def _rooms_of(connection: Connection, sayings: Sequence[Saying]) -> Collection[str]:
    """Those of the rooms that there are. Nobody deletes them until the transaction ends."""
    asked = {room_id for saying in sayings if (room_id := saying.row.room_id) is not None}
    return set(connection.scalars(keeping(connection, asked))) if asked else ()


def _recipients_of(connection: Connection, sayings: Sequence[Saying]) -> Collection[str]:
    """Those of the recipients that have a row, or get one."""
    asked = {user_id for saying in sayings if (user_id := saying.row.recipient_id) is not None}
    there = {user.id for saying in sayings for user in saying.people}
    if missing := asked - there:
        there |= set(connection.scalars(select(UserRow.id).where(among(connection, UserRow.id, missing))))
    return there


def _refusal(saying: Saying, rooms: Collection[str], users: Collection[str]) -> NotFound | None:
    if (room_id := saying.row.room_id) is not None and room_id not in rooms:
        return NotFound("no room has this id")
    if (user_id := saying.row.recipient_id) is not None and user_id not in users:
        return NotFound("no user has this id")
    return None


async def find(session: AsyncSession, message_id: UUID, *, to_change: bool = False) -> MessageRow:
    """One message; `to_change`: nobody else changes or deletes it until the transaction ends. Raises NotFound."""
    row = await session.get(MessageRow, message_id, with_for_update=to_change)
    if row is None:
        message = "no message has this id"
        raise NotFound(message)
    return row


async def by_id(session: AsyncSession, message_ids: Collection[UUID]) -> dict[UUID, MessageRow]:
    """Those of the messages that there are."""
    rows = await session.scalars(select(MessageRow).where(MessageRow.id.in_(message_ids)))
    return {row.id: row for row in rows}


@cache
def _of(place: InstrumentedAttribute[str | None], *, on_sqlite: bool) -> NewestFirst[MessageRow]:
    """What was said in one room, or to one user."""
    return NewestFirst(in_order_of(select(MessageRow), place, on_sqlite=on_sqlite), MessageRow.id)


async def page_of_room(session: AsyncSession, room_id: str, *, limit: int, cursor: str | None) -> Slice[MessageRow]:
    """One page of what was said in a room, newest first."""
    said = _of(MessageRow.room_id, on_sqlite=is_sqlite(session))
    return await said.page(session, limit=limit, cursor=cursor, **bound_one(session, room_id))


async def newest_to_user(session: AsyncSession, user_id: str, limit: int) -> Sequence[MessageRow]:
    """What was written to a user last, newest first."""
    written = _of(MessageRow.recipient_id, on_sqlite=is_sqlite(session))
    return (await written.page(session, limit=limit, cursor=None, **bound_one(session, user_id))).rows


async def undelivered(session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int) -> Sequence[MessageRow]:
    """What was written to these users and never pushed, oldest first, behind this one.

    Nobody changes it until the transaction ends.
    """
    values = {**bound(session, user_ids), "after": after, "limit": limit}
    return (await session.scalars(_undelivered(on_sqlite=is_sqlite(session)), values)).all()


@cache
def _undelivered(*, on_sqlite: bool) -> Select[MessageRow]:
    table = MessageRow
    recipient = cast("InstrumentedAttribute[str]", table.recipient_id)  # those without one are not among any
    to_users = among_bound(recipient, on_sqlite=on_sqlite)
    query = select(table).where(to_users, table.delivered_at.is_(None), table.id > bindparam("after", type_=table.id.type))
    return query.order_by(table.id).limit(bindparam("limit", type_=Integer())).with_for_update(read=True)


async def count_since(session: AsyncSession, moment: datetime) -> int:
    """How many messages were written since then. Ids begin with their time: this reads a stretch of the primary key."""
    query = select(func.count()).select_from(MessageRow).where(MessageRow.id >= first_id_of(moment))
    return (await session.scalars(query)).one()


async def delete_older(session: AsyncSession, than: datetime, after: UUID, at_most: int) -> Sequence[UUID]:
    """Delete the oldest messages behind this id that are older; their ids, which begin with the time at which they were written."""
    oldest = select(MessageRow.id).where(MessageRow.id > after, MessageRow.id < first_id_of(than))
    ids = (await session.scalars(oldest.order_by(MessageRow.id).limit(at_most))).all()
    if ids:
        await session.execute(delete(MessageRow).where(MessageRow.id.in_(ids)))
    return ids
