"""Use cases: announce now or later, edit, recall; and what its time brings about."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from app.features.announcements import store, view
from app.features.announcements.board import PUBLISHED, Board, Schedule, settled_audience
from app.features.announcements.model import AnnouncementRow, Priority
from app.features.services import Services
from app.features.unsent import Again, PushAgain, Unsent
from app.hub.audience import Audience, everyone
from app.hub.events import PublishedAnnouncement
from app.hub.publication import Part, Publication, Receipt
from app.kernel.clock import LAST_TIME, utc_now
from app.kernel.errors import FieldError, InvalidFields
from app.kernel.ids import new_id

EDITED, MOVED, RECALLED = "announcement.edited", "announcement.moved", "announcement.recalled"
MAX_MESSAGE_CHARS = 10_000
"""Characters of one announcement."""
FIRST_TIME = datetime(2, 1, 1, tzinfo=UTC)
"""Earlier times have no equal in every time zone: they are not taken."""


class Announced(NamedTuple):
    """What became of an announcement."""

    row: AnnouncementRow
    receipt: Receipt | None
    """None: its time has not come."""
    user_count: int
    """Users whom it reached at once, however many tabs they have."""


async def announce(
    services: Services,
    *,
    message: str,
    title: str,
    priority: Priority,
    author: str,
    audience: Audience | None = None,
    publish_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Announced:
    """Store an announcement, and show it, now or at `publish_at`.

    Raises InvalidFields for times that make no sense, Unavailable.
    """
    now = utc_now()
    is_due = publish_at is None or publish_at <= now
    row = AnnouncementRow(
        id=new_id(),
        title=title,
        message=message,
        priority=priority,
        audience=None if audience is None else msgspec.to_builtins(audience),
        author=author,
        created_at=now,
        publish_at=publish_at,
        expires_at=expires_at,
        published_at=now if is_due else None,
    )
    _check_times(row, now)
    view.item(row)  # before it is stored: what fails must not leave half the work done
    concerned = await settled_audience(services, row)
    async with services.of(Board).changing:
        async with services.database.transaction() as session:
            session.add(row)
            publication_id = await services.of(Unsent).note(session, PUBLISHED, [row.id]) if is_due else ""
        services.of(Schedule).changed()
        return await show(services, row, concerned, publication_id) if is_due else Announced(row, None, 0)


async def show(services: Services, row: AnnouncementRow, audience: Audience, publication_id: str) -> Announced:
    """Put a stored announcement on the screens of those whom it concerns, and on the board; not one that has expired meanwhile.

    `audience` is settled with those who are absent: the board needs them. What is published names only those who are there.
    """
    if row.state != "in_force":
        services.of(Unsent).done(publication_id)
        return Announced(row, None, 0)
    hub = services.hub
    hearing = hub.without_absent(audience)
    reached = {connection.user.id for connection in hub.registry.resolve(hearing) if connection.user is not None}
    receipt = await _push(services, publication_id, Part(hearing, view.published(row)))
    services.of(Board).put(row, audience)
    hub.events.emit("announcement.published", PublishedAnnouncement(str(row.id), row.title, row.message, row.priority))
    return Announced(row, receipt, len(reached))


async def edit(services: Services, announcement_id: UUID, wanted: msgspec.Struct) -> AnnouncementRow:
    """Change what is set in `wanted`, in the row and on the screens that show it. Raises NotFound, InvalidFields.

    When its audience changes, it leaves every screen and is shown to the new one.
    """
    changes: dict[str, Any] = msgspec.to_builtins(wanted, builtin_types=(datetime,))
    board = services.of(Board)
    async with board.changing:
        async with services.database.transaction() as session:
            row = await store.find(session, announcement_id)
            was_shown, heard_before = row.state == "in_force", row.concerned
            _change(row, changes)
            view.item(row)  # before it is stored: what fails must not leave half the work done
            audience = await settled_audience(services, row)
            what = EDITED if was_shown and row.concerned == heard_before else MOVED
            publication_id = await services.of(Unsent).note(session, what, [row.id])
        services.of(Schedule).changed()
        await _show_change(services, row, audience, what, publication_id)
        return row


async def _show_change(services: Services, row: AnnouncementRow, audience: Audience, what: str, publication_id: str) -> None:
    """Show it in its place, anew on top, or to another audience on top; nothing of one that is not in force."""
    if row.state != "in_force":
        services.of(Unsent).done(publication_id)
        return
    hearing = services.hub.without_absent(audience)
    parts: tuple[Part, ...]
    if what == EDITED:
        parts = (Part(hearing, view.edited(row)),)
    elif what == PUBLISHED:
        parts = (Part(hearing, view.published_again(row)),)
    else:
        parts = Part(everyone, view.gone(row.id)), Part(hearing, view.published(row))
    await _push(services, publication_id, *parts)
    services.of(Board).put(row, audience)


async def recall(services: Services, announcement_id: UUID) -> None:
    """Delete an announcement, then take it from every screen: whoever saw it may be somebody else by now. Raises NotFound."""
    board = services.of(Board)
    async with board.changing:
        async with services.database.transaction() as session:
            row = await store.find(session, announcement_id)
            await session.delete(row)
            publication_id = await services.of(Unsent).note(session, RECALLED, [row.id]) if row.published_at is not None else ""
        board.take_down(row.id)
        if publication_id:
            await _push(services, publication_id, Part(everyone, view.gone(row.id)))


async def _push(services: Services, publication_id: str, *parts: Part) -> Receipt:
    return await services.of(Unsent).push(Publication(publication_id, parts))


async def _show_again(services: Services, again: Again) -> None:
    """As it is now, also where it was edited meanwhile."""
    async with services.of(Board).changing:
        async with services.database.reading() as session:
            row = await store.find(session, UUID(again.things[0]))
        audience = await settled_audience(services, row)
        await _show_change(services, row, audience, again.what, again.id)


async def _recall_again(services: Services, again: Again) -> None:
    await _push(services, again.id, Part(everyone, view.gone(UUID(again.things[0]))))


PUSHES_AGAIN: Mapping[str, PushAgain] = {
    PUBLISHED: _show_again,
    EDITED: _show_again,
    MOVED: _show_again,
    RECALLED: _recall_again,
}


def _change(row: AnnouncementRow, changes: dict[str, Any]) -> None:
    """Make these changes. Raises InvalidFields."""
    now = utc_now()
    if row.published_at is not None and changes.get("publish_at", row.publish_at) != row.publish_at:
        raise InvalidFields([FieldError("/publish_at", "it has been published already; DELETE recalls it")])
    for column, value in changes.items():
        setattr(row, column, value)
    if row.published_at is None and row.publish_at is None:
        row.publish_at = now  # its time has come: the schedule shows it
    row.edited_at = now
    if not changes.keys().isdisjoint({"publish_at", "expires_at"}):
        _check_times(row, now)


def _check_times(row: AnnouncementRow, now: datetime) -> None:
    wrong = [
        FieldError(f"/{name}", "times before the year 2 or after the year 9998 have no equal in every time zone")
        for name, moment in (("publish_at", row.publish_at), ("expires_at", row.expires_at))
        if moment is not None and not FIRST_TIME <= moment < LAST_TIME
    ]
    begins = max(filter(None, (row.publish_at, now)))
    if not wrong and row.expires_at is not None and row.expires_at <= begins:
        wrong = [FieldError("/expires_at", "must be later than now and than `publish_at`; DELETE recalls an announcement at once")]
    if wrong:
        raise InvalidFields(wrong)
