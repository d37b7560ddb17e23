"""Use cases: announce, recall."""

from uuid import UUID

import msgspec

from app.db.session import Database
from app.features.announcements import store, view
from app.features.announcements.audience import Priority, concerned
from app.features.announcements.model import AnnouncementRow
from app.hub.audience import Audience, everyone
from app.hub.hub import Hub
from app.hub.publication import Receipt, one
from app.kernel.clock import utc_now
from app.kernel.ids import new_id


async def announce(
    database: Database,
    hub: Hub,
    *,
    message: str,
    title: str,
    priority: Priority,
    audience: Audience | None,
    author: str,
) -> tuple[AnnouncementRow, Receipt]:
    """Store an announcement, then show it."""
    row = AnnouncementRow(
        id=new_id(),
        title=title,
        message=message,
        priority=priority,
        audience=None if audience is None else msgspec.to_builtins(audience),
        author=author,
        created_at=utc_now(),
    )
    shown = one(audience_of(row), view.published(row))  # before it is stored: a broken fragment must not leave half the work done
    async with database.transaction() as session:
        session.add(row)
    return row, await hub.publish(shown)


async def recall(database: Database, hub: Hub, announcement_id: UUID) -> None:
    """Delete an announcement, then take it from every screen: whoever saw it may be somebody else by now. Raises NotFound."""
    async with database.transaction() as session:
        row = await store.find(session, announcement_id)
        await session.delete(row)
    await hub.publish(one(everyone, view.recalled(row)))


def audience_of(row: AnnouncementRow) -> Audience:
    """Who hears of it."""
    if row.audience is not None:
        audience: Audience = msgspec.convert(row.audience, Audience)
        return audience
    return concerned(msgspec.convert(row.priority, Priority))
