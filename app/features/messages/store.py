"""Queries on messages."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.ids import among, in_order_of
from app.db.page import Slice, newest_first
from app.features.messages.model import MessageRow
from app.kernel.errors import NotFound
from app.kernel.ids import first_id_of


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


async def page_of_room(session: AsyncSession, room_id: str, *, limit: int, cursor: str | None) -> Slice[MessageRow]:
    """One page of what was said in a room, newest first."""
    query = in_order_of(session, select(MessageRow), MessageRow.room_id, room_id)
    return await newest_first(session, query, MessageRow.id, limit=limit, cursor=cursor)


async def newest_to_user(session: AsyncSession, user_id: str, limit: int) -> Sequence[MessageRow]:
    """What was written to a user last, newest first."""
    query = in_order_of(session, select(MessageRow), MessageRow.recipient_id, user_id)
    return (await newest_first(session, query, MessageRow.id, limit=limit, cursor=None)).rows


async def undelivered(session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int) -> Sequence[MessageRow]:
    """What was written to these users and never pushed, oldest first, behind this one.

    Nobody changes it until the transaction ends.
    """
    table = MessageRow
    recipient = cast("InstrumentedAttribute[str]", table.recipient_id)  # those without one are not among any
    query = select(table).where(among(session, recipient, user_ids), table.delivered_at.is_(None), table.id > after)
    return (await session.scalars(query.order_by(table.id).limit(limit).with_for_update(read=True))).all()


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
