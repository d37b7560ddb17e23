"""Queries on announcements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.page import NewestFirst, Slice
from app.features.announcements.model import AnnouncementRow, State, version_of
from app.kernel.errors import NotFound


async def find(session: AsyncSession, announcement_id: UUID, *, to_change: bool = False) -> AnnouncementRow:
    """One announcement; `to_change`: nobody else shows, changes or deletes it until the transaction ends. Raises NotFound."""
    row = await session.get(AnnouncementRow, announcement_id, with_for_update=to_change)
    if row is None:
        message = "no announcement has this id"
        raise NotFound(message)
    return row


async def by_id(session: AsyncSession, announcement_ids: Collection[UUID]) -> Sequence[AnnouncementRow]:
    """Those of the announcements that there are."""
    return (await session.scalars(select(AnnouncementRow).where(AnnouncementRow.id.in_(announcement_ids)))).all()


async def page(
    session: AsyncSession, *, priority: str | None, state: State | None, now: datetime, limit: int, cursor: str | None
) -> Slice[AnnouncementRow]:
    """One page, newest first."""
    query = select(AnnouncementRow)
    if priority is not None:
        query = query.where(AnnouncementRow.priority == priority)
    if state is not None:
        query = query.where(*_is(state, now))
    return await NewestFirst(query, AnnouncementRow.id).page(session, limit=limit, cursor=cursor)


async def newest_in_force(session: AsyncSession, now: datetime, limit: int) -> Sequence[AnnouncementRow]:
    """Those that are on the screens, the one shown last first."""
    query = select(AnnouncementRow).where(*_is("in_force", now))
    return (
        await session.scalars(query.order_by(AnnouncementRow.published_at.desc(), AnnouncementRow.id.desc()).limit(limit))
    ).all()


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next one is to be shown; None: none waits."""
    query = select(func.min(AnnouncementRow.publish_at)).where(AnnouncementRow.published_at.is_(None))
    return (await session.scalars(query)).one()


async def due(session: AsyncSession, now: datetime, limit: int) -> Sequence[UUID]:
    """The ids of those whose time has come, the earliest first."""
    table = AnnouncementRow
    query = select(table.id).where(table.published_at.is_(None), table.publish_at <= now)
    return (await session.scalars(query.order_by(table.publish_at, table.id).limit(limit))).all()


async def next_expiry(session: AsyncSession, after: datetime) -> datetime | None:
    """When the next one leaves the screens that has not left them by `after`; None: none will."""
    query = select(func.min(AnnouncementRow.expires_at)).where(
        AnnouncementRow.published_at.is_not(None), AnnouncementRow.expires_at > after
    )
    return (await session.scalars(query)).one()


async def expired_between(session: AsyncSession, after: datetime, until: datetime) -> Sequence[tuple[UUID, int]]:
    """Ids and versions of those that were shown and whose time was over in between."""
    table = AnnouncementRow
    query = select(table.id, table.edited_at)
    query = query.where(table.published_at.is_not(None), table.expires_at > after, table.expires_at <= until)
    return [(announcement_id, version_of(edited_at)) for announcement_id, edited_at in await session.execute(query)]


async def claim(session: AsyncSession, announcement_id: UUID, now: datetime) -> AnnouncementRow | None:
    """Say that it is shown now, by us and nobody else, whatever other nodes try. None: it is not ours, or not due any more."""
    table = AnnouncementRow
    is_due = table.published_at.is_(None), table.publish_at <= now
    statement = update(table).where(table.id == announcement_id, *is_due).values(published_at=now)
    done = await session.execute(statement, execution_options={"synchronize_session": False})
    return await session.get_one(table, announcement_id) if cast("CursorResult[Any]", done).rowcount == 1 else None


def _is(state: State, now: datetime) -> list[ColumnElement[bool]]:
    table = AnnouncementRow
    is_shown = table.published_at.is_not(None)
    match state:
        case "scheduled":
            return [table.published_at.is_(None)]
        case "in_force":
            return [is_shown, table.expires_at.is_(None) | (table.expires_at > now)]
        case "expired":
            return [is_shown, table.expires_at <= now]
