"""Use cases: notify users, and keep their inboxes.

Counts are taken in the transaction that changes them, which holds its users until it ends: of two at once, the second counts what
the first has left.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import apart
from app.features.away import Away, Waiting
from app.features.notifications import store, view
from app.features.notifications.looks import LISTED, Looks
from app.features.notifications.model import NotificationRow
from app.features.notifications.store import ARRIVING, Arrived, Arriving, Counts
from app.features.services import Services
from app.features.unsent import Again, PushAgain, Unsent, noted
from app.features.users import hold_users
from app.hub.audience import users
from app.hub.publication import Part, Publication
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound
from app.kernel.ids import new_id
from app.wire.update import Update

ARRIVED, CHANGED, BACK, ALL_READ = (f"notification.{happened}" for happened in ("arrived", "changed", "back", "all-read"))
State = Literal["read", "seen", "archived"]

SHOWN_AT_ONCE = 50
"""Notifications in one publication: long ones hold the loop for some 10 ms, then others have their turn."""

MARKED_AT_ONCE = 2_000
"""Notifications that one transaction marks as read, some 15 ms, for which other writers wait."""


class Marked(NamedTuple):
    """A notification after a change, and what waits for its user then."""

    row: NotificationRow
    waiting: Counts


class AwayFromInbox(Away):
    """Notifications of users who are away."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, NotificationRow, partial(_undelivered, services.of(Looks)))


def new(user_id: str, *, kind: str, title: str, message: str) -> NotificationRow:
    """One that is not stored yet."""
    return NotificationRow(id=new_id(), user_id=user_id, type=kind, title=title, message=message, created_at=utc_now())


class Notifier:
    """Stores notifications in a transaction, together with what they tell of. See `notifying`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.arrived: list[tuple[Arriving, Arrived]] = []

    async def add(self, *, user_ids: Collection[str], kind: str, title: str, message: str) -> None:
        """Store one notification per user; an id that is new makes its user."""
        arriving = _arriving(user_ids, kind=kind, title=title, message=message)
        (arrived,) = await (await self.session.connection()).run_sync(store.arrive, [arriving])
        self.arrived.append((arriving, arrived))


@asynccontextmanager
async def notifying(services: Services) -> AsyncIterator[Notifier]:
    """A transaction in which notifications are stored. Once it is committed they are shown on all tabs of their users.

    Who is away is shown them at the next connect. Raises Unavailable; then nothing was stored.
    """
    async with services.database.transaction() as session:
        notifier = Notifier(session)
        yield notifier
    for arriving, arrived in notifier.arrived:
        await _show(services, arriving, arrived)


class Sent(NamedTuple):
    """What was stored, and whom it reached."""

    rows: Sequence[NotificationRow]
    """In the order of the ids."""
    queued: int
    """Connections that were told at once."""
    new_users: Collection[str]
    """Users of whom nothing was known before, and who are not connected."""


async def notify(services: Services, *, user_ids: Collection[str], kind: str, title: str, message: str) -> Sent:
    """Store one notification per user and show them."""
    arriving = _arriving(user_ids, kind=kind, title=title, message=message)
    inbox_of = f"inbox of {arriving.rows[0].user_id}"  # of many: any that a second call to the same users shares with it
    arrived = await services.database.write(ARRIVING, arriving, rows=len(arriving.rows), lane=inbox_of)
    unknown = arrived.new_users - services.hub.reach.within(arrived.new_users)  # who has just connected has no row yet
    return Sent(arriving.rows, await _show(services, arriving, arrived), unknown)


def _arriving(user_ids: Collection[str], *, kind: str, title: str, message: str) -> Arriving:
    rows = [new(user_id, kind=kind, title=title, message=message) for user_id in user_ids]
    view.item(rows[0])  # what fails must not leave half the work done
    return Arriving(rows, [noted(ARRIVED, [row.id for row in share]) for share in _shares(rows)])


async def _show(services: Services, arriving: Arriving, arrived: Arrived) -> int:
    """Show what is stored; how many connections were told at once."""
    unread = {user_id: counted.unread for user_id, counted in arrived.waiting.items()}
    queued = 0
    for note, rows in zip(arriving.notes, _shares(arriving.rows), strict=True):
        shown = _to_users(services, note["id"], rows, unread, view.arrived)
        queued += (await services.of(Unsent).push(shown)).queued
        services.of(Looks).told(rows, unread)
        await asyncio.sleep(0)
    return queued


def _shares(rows: Sequence[NotificationRow]) -> Iterator[Sequence[NotificationRow]]:
    """Those that are shown at once, as one publication."""
    return (rows[start : start + SHOWN_AT_ONCE] for start in range(0, len(rows), SHOWN_AT_ONCE))


async def would_arrive(services: Services, user_id: str, *, kind: str, title: str, message: str, counts_waiting: bool) -> Update:
    """What a user would be shown by `notify`; without `counts_waiting`, as if nothing waited."""
    unread = 0
    if counts_waiting:
        async with services.database.reading() as session:
            unread = (await store.counts(session, [user_id]))[user_id].unread
    return view.arrived(new(user_id, kind=kind, title=title, message=message), unread + 1)


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
        is_back = was_archived and row.archived_at is None
        publication_id = await services.of(Unsent).note(session, BACK if is_back else CHANGED, [row.id])
        shown = _to_user(publication_id, row.user_id, _shown(row, waiting.unread, is_back=is_back))
        if is_back:  # it is on the list now, and this counts as its push
            shown = replace(shown, news=services.of(AwayFromInbox).news([(row.id, row.user_id)]))
    await services.of(Unsent).push(shown)
    services.of(Looks).told([row], {row.user_id: waiting.unread})
    return Marked(row, waiting)


async def mark_all_read(services: Services, user_id: str) -> tuple[int, Counts]:
    """Mark all of a user's notifications as read. Returns how many were not, and what waits now.

    Raises Unavailable; then those that are many may be marked in part, and it marks the others when it is tried again.
    """
    marked = await _mark_many_read(services, user_id)
    async with services.database.transaction() as session:
        await hold_users(session, [user_id])
        marked += await store.mark_read(session, user_id, utc_now())
        waiting = (await store.counts(session, [user_id]))[user_id]
        if not marked:
            return 0, waiting
        publication_id = await services.of(Unsent).note(session, ALL_READ, [user_id])
        rows = await store.newest(session, user_id, LISTED)
        shown = _to_user(publication_id, user_id, view.listed(rows, waiting.unread))
    await services.of(Unsent).push(shown)
    services.of(Looks).told_list(user_id, rows, waiting.unread)
    return marked, waiting


async def _mark_many_read(services: Services, user_id: str) -> int:
    """Mark until a few are left, the newest first, each step in a transaction of its own. Returns how many there were."""
    marked, newest = 0, store.NEWEST
    while True:
        async with services.database.reading() as session:
            behind = await store.behind_unread(session, user_id, MARKED_AT_ONCE, newest)
        if behind is None:
            return marked
        with apart():
            async with services.database.transaction() as session:
                await hold_users(session, [user_id])
                marked += await store.mark_read(session, user_id, utc_now(), newest=newest, behind=behind)
        newest = behind


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


def _shown(row: NotificationRow, unread_count: int, *, is_back: bool) -> Update:
    if row.archived_at is not None:
        return view.archived(row, unread_count)
    return view.arrived(row, unread_count) if is_back else view.changed(row, unread_count)


def _to_users(
    services: Services,
    publication_id: str,
    rows: Sequence[NotificationRow],
    unread: Mapping[str, int],
    show: Callable[[NotificationRow, int], Update],
) -> Publication:
    parts = (Part(users(row.user_id), show(row, unread[row.user_id]), str(row.id)) for row in rows)
    news = services.of(AwayFromInbox).news((row.id, row.user_id) for row in rows)
    return Publication(publication_id, tuple(parts), news=news)


def _to_user(publication_id: str, user_id: str, update: Update) -> Publication:
    return Publication(publication_id, (Part(users(user_id), update),))


async def _arrive_again(services: Services, again: Again) -> None:
    async with services.database.reading() as session:
        rows = await store.on_the_list(session, again.things)
        waiting = await store.counts(session, {row.user_id for row in rows})
    if rows:
        unread = {user_id: counted.unread for user_id, counted in waiting.items()}
        await services.of(Unsent).push(_to_users(services, again.id, rows, unread, view.arrived_again))
        services.of(Looks).told(rows, unread)


async def _change_again(services: Services, again: Again) -> None:
    async with services.database.reading() as session:
        row = await store.find(session, UUID(again.things[0]))
        waiting = (await store.counts(session, [row.user_id]))[row.user_id]
    is_back = again.what == BACK and row.archived_at is None
    update = view.arrived_again(row, waiting.unread) if is_back else _shown(row, waiting.unread, is_back=False)
    await services.of(Unsent).push(_to_user(again.id, row.user_id, update))
    services.of(Looks).told([row], {row.user_id: waiting.unread})


async def _list_again(services: Services, again: Again) -> None:
    (user_id,) = again.things
    async with services.database.reading() as session:
        waiting = (await store.counts(session, [user_id]))[user_id]
        rows = await store.newest(session, user_id, LISTED)
    await services.of(Unsent).push(_to_user(again.id, user_id, view.listed(rows, waiting.unread)))
    services.of(Looks).told_list(user_id, rows, waiting.unread)


PUSHES_AGAIN: Mapping[str, PushAgain] = {
    ARRIVED: _arrive_again,
    CHANGED: _change_again,
    BACK: _change_again,
    ALL_READ: _list_again,
}


async def _undelivered(
    looks: Looks, session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int
) -> Sequence[Waiting]:
    await hold_users(session, user_ids)
    rows = await store.undelivered(session, user_ids, after, limit)
    waiting = await store.counts(session, {row.user_id for row in rows}) if rows else {}
    unread = {user_id: counted.unread for user_id, counted in waiting.items()}
    return [
        Waiting(row.id, row.user_id, view.arrived(row, unread[row.user_id]), partial(looks.told, [row], unread)) for row in rows
    ]
