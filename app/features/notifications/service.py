"""Use cases: notify users, mark as read. Counts are taken in the transaction that changes them."""

from collections.abc import Collection, Sequence
from typing import Literal
from uuid import UUID

from app.db.session import Database
from app.features.notifications import store, view
from app.features.notifications.model import NotificationRow
from app.features.users import ensure_users
from app.hub.audience import users
from app.hub.hub import Hub
from app.hub.publication import Part, Publication, one
from app.kernel.clock import utc_now
from app.kernel.ids import new_id, new_short_id

State = Literal["read", "seen"]


async def notify(
    database: Database, hub: Hub, *, user_ids: Collection[str], kind: str, title: str, message: str
) -> tuple[Sequence[NotificationRow], int]:
    """Store one notification per user, then show it on all tabs of each. Returns the rows and how many connections were reached."""
    now = utc_now()
    rows = [
        NotificationRow(
            id=new_id(),
            user_id=user_id,
            type=kind,
            title=title,
            message=message,
            created_at=now,
            seen_at=None,
            read_at=None,
        )
        for user_id in user_ids
    ]
    async with database.transaction() as session:
        await ensure_users(session, user_ids)
        session.add_all(rows)
        await session.flush()
        waiting = await store.counts(session, user_ids)
        parts = tuple(Part(users(row.user_id), view.arrived(row, waiting[row.user_id].unread)) for row in rows)
    receipt = await hub.publish(Publication(new_short_id(), parts))
    return rows, receipt.queued


async def mark(database: Database, hub: Hub, notification_id: UUID, state: State, *, on: bool) -> NotificationRow:
    """Put a notification into a state or take it out; again changes nothing. What is read counts as seen. Raises NotFound."""
    async with database.transaction() as session:
        row = await store.find(session, notification_id)
        _set(row, state, on=on)
        await session.flush()
        waiting = (await store.counts(session, [row.user_id]))[row.user_id]
        shown = one(users(row.user_id), view.changed(row, waiting.unread))
    await hub.publish(shown)
    return row


def _set(row: NotificationRow, state: State, *, on: bool) -> None:
    now = utc_now()
    if state == "seen" or on:
        row.seen_at = (row.seen_at or now) if on else None
    if state == "read":
        row.read_at = (row.read_at or now) if on else None
