"""Queries on rooms and their members."""

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import CursorResult, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.dialects import Executes
from app.db.ids import among
from app.db.insert import ensure
from app.db.page import Slice, in_order
from app.features.rooms.model import RoomMemberRow, RoomRow
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound


async def find(session: AsyncSession, room_id: str, *, is_kept: bool = False) -> RoomRow:
    """One room; `is_kept`: nobody deletes or changes it until the transaction ends. Raises NotFound."""
    row = await (kept(session, room_id) if is_kept else session.get(RoomRow, room_id))
    if row is None:
        raise _no_room()
    return row


async def kept(session: AsyncSession, room_id: str) -> RoomRow | None:
    """One room, or None. Nobody deletes or changes it until the transaction ends: what is stored of it may rely on it."""
    return await session.get(RoomRow, room_id, with_for_update={"read": True})


def keeping(executes: Executes, room_ids: Collection[str]) -> Select[str]:
    """The query that finds those of the rooms that there are, and keeps them as `kept` does."""
    query = select(RoomRow.id).where(among(executes, RoomRow.id, room_ids))
    return query.order_by(RoomRow.id).with_for_update(read=True)


async def find_to_change(session: AsyncSession, room_id: str) -> RoomRow:
    """One room, which nobody else reads to keep, changes or deletes until the transaction ends. Raises NotFound."""
    row = await session.get(RoomRow, room_id, with_for_update=True)
    if row is None:
        raise _no_room()
    return row


async def ensure_room(session: AsyncSession, room_id: str, name: str, *, is_private: bool) -> tuple[RoomRow, bool]:
    """Make a room, unless there is one of this id. Returns the one that there is, and whether it is new.

    Nobody deletes it until the transaction ends.
    """
    return await ensure(session, RoomRow, {"id": room_id, "name": name, "is_private": is_private, "created_at": utc_now()})


async def page(session: AsyncSession, *, limit: int, cursor: str | None) -> Slice[RoomRow]:
    """One page of all rooms, by id."""
    return await in_order(session, select(RoomRow), RoomRow.id, limit=limit, cursor=cursor)


async def member(session: AsyncSession, room_id: str, user_id: str) -> RoomMemberRow | None:
    """The membership of a user; None: the user does not belong to the room."""
    return await session.get(RoomMemberRow, (room_id, user_id))


async def among_members(session: AsyncSession, room_ids: Collection[str], user_id: str) -> Collection[str]:
    """Those of the rooms of which the user is a member."""
    query = select(RoomMemberRow.room_id).where(RoomMemberRow.user_id == user_id, RoomMemberRow.room_id.in_(room_ids))
    return set(await session.scalars(query))


async def members(
    session: AsyncSession, room_id: str, *, of_users: Collection[str] | None, limit: int, cursor: str | None
) -> Slice[RoomMemberRow]:
    """One page of a room's members, by id; `of_users`: only of these."""
    query = select(RoomMemberRow).where(RoomMemberRow.room_id == room_id)
    if of_users is not None:
        query = query.where(RoomMemberRow.user_id.in_(of_users))
    return await in_order(session, query, RoomMemberRow.user_id, limit=limit, cursor=cursor)


async def ensure_member(session: AsyncSession, room_id: str, user_id: str) -> RoomMemberRow:
    """Make the user a member, unless the user is one already."""
    row, _ = await ensure(session, RoomMemberRow, {"room_id": room_id, "user_id": user_id, "joined_at": utc_now()})
    return row


async def remove_member(session: AsyncSession, room_id: str, user_id: str) -> bool:
    """End the membership of the user. False: there was none."""
    table = RoomMemberRow
    done = await session.execute(delete(table).where(table.room_id == room_id, table.user_id == user_id))
    return cast("CursorResult[Any]", done).rowcount == 1


def _no_room() -> NotFound:
    return NotFound("no room has this id")
