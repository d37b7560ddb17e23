"""Queries on notifications. The number of statements does not depend on the number of users or notifications."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.page import Slice, newest_first
from app.features.notifications.model import NotificationRow
from app.kernel.errors import NotFound


class Counts(NamedTuple):
    """How many notifications of a user wait."""

    unread: int
    unseen: int


async def find(session: AsyncSession, notification_id: UUID) -> NotificationRow:
    """One notification. Raises NotFound."""
    row = await session.get(NotificationRow, notification_id)
    if row is None:
        message = "no notification has this id"
        raise NotFound(message)
    return row


async def page(session: AsyncSession, user_id: str, *, unread_only: bool, limit: int, cursor: str | None) -> Slice[NotificationRow]:
    """One page of a user's notifications, newest first."""
    query = select(NotificationRow).where(NotificationRow.user_id == user_id)
    if unread_only:
        query = query.where(NotificationRow.read_at.is_(None))
    return await newest_first(session, query, NotificationRow.id, limit=limit, cursor=cursor)


async def counts(session: AsyncSession, user_ids: Collection[str]) -> dict[str, Counts]:
    """What waits for each of the users; a user for whom nothing waits is there with zeros."""
    table = NotificationRow
    unread = func.count().filter(table.read_at.is_(None))
    unseen = func.count().filter(table.seen_at.is_(None))
    query = select(table.user_id, unread, unseen).where(
        table.user_id.in_(user_ids), table.read_at.is_(None) | table.seen_at.is_(None)
    )
    found = {user_id: Counts(*numbers) for user_id, *numbers in await session.execute(query.group_by(table.user_id))}
    return {user_id: found.get(user_id, Counts(0, 0)) for user_id in user_ids}
