"""Use cases: notify users, and keep their inboxes.

Counts are taken in the transaction that changes them, which holds its users until it ends: of two at once, the second counts what
the first has left.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.features.away import Away, Waiting
from app.features.notifications import store, view
from app.features.notifications.model import NotificationRow
from app.features.notifications.store import Counts
from app.features.services import Services
from app.features.users import ensure_users, hold_users
from app.hub.audience import users
from app.hub.publication import Part, Publication, one
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound
from app.kernel.ids import new_id, new_short_id
from app.wire.update import Update

State = Literal["read", "seen", "archived"]

SHOWN_AT_ONCE = 50
"""Notifications in one publication: long ones hold the loop for some 10 ms, then others have their turn."""
LISTED = 50
"""Notifications that a list shows which is made anew."""


class Marked(NamedTuple):
    """A notification after a change, and what waits for its user then."""

    row: NotificationRow
    waiting: Counts


class AwayFromInbox(Away):
    """Notifications of users who are away."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, NotificationRow, _undelivered)


class Notifier:
    """Stores notifications in a transaction, together with what they tell of. See `notifying`."""

    def __init__(self, session: AsyncSession, away: Away, on_the_way: ExitStack) -> None:
        self.session = session
        self.rows: list[NotificationRow] = []
        self.shares: list[tuple[Sequence[NotificationRow], ExitStack]] = []
        """What is shown at once, and what is closed right behind its push."""
        self.unread: dict[str, int] = {}
        self.queued = 0
        """Connections that were told at once; known after the block."""
        self._away = away
        self._on_the_way = on_the_way

    async def add(self, *, user_ids: Collection[str], kind: str, title: str, message: str) -> None:
        """Store one notification per user; an id that is new makes its user."""
        now = utc_now()
        rows = [
            NotificationRow(id=new_id(), user_id=user_id, type=kind, title=title, message=message, created_at=now)
            for user_id in user_ids
        ]
        for start in range(0, len(rows), SHOWN_AT_ONCE):
            share = rows[start : start + SHOWN_AT_ONCE]
            sending = self._on_the_way.enter_context(ExitStack())
            sending.enter_context(self._away.sending({row.id: row.user_id for row in share}))
            self.shares.append((share, sending))
        await ensure_users(self.session, user_ids)
        await hold_users(self.session, user_ids)
        self.session.add_all(rows)
        await self.session.flush()
        waiting = await store.counts(self.session, user_ids)
        view.item(rows[0])  # what fails must not leave half the work done
        self.rows += rows
        self.unread |= {user_id: counted.unread for user_id, counted in waiting.items()}


@asynccontextmanager
async def notifying(services: Services) -> AsyncIterator[Notifier]:
    """A transaction in which notifications are stored. Once it is committed they are shown on all tabs of their users.

    Who is away is shown them at the next connect. Raises Unavailable; then nothing was stored.
    """
    away = services.of(AwayFromInbox)
    with ExitStack() as on_the_way:
        async with services.database.transaction() as session:
            notifier = Notifier(session, away, on_the_way)
            yield notifier
        for share, sending in notifier.shares:
            parts = tuple(Part(users(row.user_id), view.arrived(row, notifier.unread[row.user_id]), str(row.id)) for row in share)
            notifier.queued += (await services.hub.publish(Publication(new_short_id(), parts))).queued
            sending.close()  # in the same turn: whoever comes in the next one was not pushed to
            await asyncio.sleep(0)


async def notify(
    services: Services, *, user_ids: Collection[str], kind: str, title: str, message: str
) -> tuple[Sequence[NotificationRow], int]:
    """Store one notification per user and show them. Returns them, in the order of the ids, and how many connections were told."""
    async with notifying(services) as notifier:
        await notifier.add(user_ids=user_ids, kind=kind, title=title, message=message)
    return notifier.rows, notifier.queued


async def inbox(services: Services, user_id: str) -> tuple[Sequence[NotificationRow], Counts]:
    """The newest of a user's list, newest first, and what waits for the user: for a page to begin with."""
    async with services.database.reading() as session:
        return await store.newest(session, user_id, LISTED), (await store.counts(session, [user_id]))[user_id]


async def mark(services: Services, notification_id: UUID, state: State, *, on: bool, owner: str | None = None) -> Marked:
    """Put a notification into a state or take it out; again changes nothing. What is read counts as seen.

    Raises NotFound, also for somebody else's where `owner` is given.
    """
    async with services.database.transaction() as session:
        row = await store.find(session, notification_id)
        if owner is not None and row.user_id != owner:
            message = "no notification has this id"
            raise NotFound(message)
        await hold_users(session, [row.user_id])
        row = await store.find(session, notification_id, anew=True)
        was_archived = row.archived_at is not None
        _set(row, state, on=on)
        await session.flush()
        waiting = (await store.counts(session, [row.user_id]))[row.user_id]
        shown = one(users(row.user_id), _shown(row, waiting.unread, was_archived=was_archived))
    is_on_the_list_again = was_archived and row.archived_at is None
    with services.of(AwayFromInbox).sending({row.id: row.user_id} if is_on_the_list_again else {}):
        await services.hub.publish(shown)
    return Marked(row, waiting)


async def mark_all_read(services: Services, user_id: str) -> tuple[int, Counts]:
    """Mark all of a user's notifications as read. Returns how many were not, and what waits now."""
    async with services.database.transaction() as session:
        await hold_users(session, [user_id])
        marked = await store.mark_all_read(session, user_id, utc_now())
        waiting = (await store.counts(session, [user_id]))[user_id]
        rows = await store.newest(session, user_id, LISTED)
        shown = one(users(user_id), view.listed(rows, waiting.unread))
    if marked:
        await services.hub.publish(shown)
    return marked, waiting


def _set(row: NotificationRow, state: State, *, on: bool) -> None:
    now = utc_now()
    match state:
        case "archived":
            row.archived_at = (row.archived_at or now) if on else None
        case "seen":
            row.seen_at = (row.seen_at or now) if on else None
        case "read":
            row.read_at = (row.read_at or now) if on else None
            if on:
                row.seen_at = row.seen_at or now


def _shown(row: NotificationRow, unread_count: int, *, was_archived: bool) -> Update:
    if row.archived_at is not None:
        return view.archived(row, unread_count)
    return view.arrived(row, unread_count) if was_archived else view.changed(row, unread_count)


async def _undelivered(session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int) -> Sequence[Waiting]:
    await hold_users(session, user_ids)
    rows = await store.undelivered(session, user_ids, after, limit)
    waiting = await store.counts(session, {row.user_id for row in rows}) if rows else {}
    return [Waiting(row.id, row.user_id, view.arrived(row, waiting[row.user_id].unread)) for row in rows]
