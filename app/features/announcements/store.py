"""Queries on announcements."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.page import Slice, newest_first
from app.features.announcements.model import AnnouncementRow
from app.kernel.errors import NotFound


async def find(session: AsyncSession, announcement_id: UUID) -> AnnouncementRow:
    """One announcement. Raises NotFound."""
    row = await session.get(AnnouncementRow, announcement_id)
    if row is None:
        message = "no announcement has this id"
        raise NotFound(message)
    return row


async def page(session: AsyncSession, *, priority: str | None, limit: int, cursor: str | None) -> Slice[AnnouncementRow]:
    """One page, newest first."""
    query = select(AnnouncementRow)
    if priority is not None:
        query = query.where(AnnouncementRow.priority == priority)
    return await newest_first(session, query, AnnouncementRow.id, limit=limit, cursor=cursor)
