"""Use cases: announce now or later, edit, recall; and what its times bring about."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog

from app.features.announcements import store, view
from app.features.announcements.board import Board, settled_audience
from app.features.announcements.model import TIMES, AnnouncementRow, Priority, Told, change, check_times
from app.features.services import Services
from app.features.timetable import Timetable
from app.features.unsent import Again, PushAgain, Unsent
from app.hub.audience import Audience, everyone
from app.hub.events import PublishedAnnouncement
from app.hub.publication import Part, Publication, Receipt, one
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable
from app.kernel.ids import new_id, new_short_id
from app.wire.update import MAX_OOB

_log = structlog.get_logger()

PUBLISHED, EDITED, MOVED, RECALLED = (f"announcement.{happened}" for happened in ("published", "edited", "moved", "recalled"))
MAX_MESSAGE_CHARS = 10_000
"""Characters of one announcement."""
AT_ONCE = 100
"""Announcements that are due, in one step."""
FAILED_AGAIN_S = 30.0
"""Seconds after which one that could not be shown is tried again."""
GONE_AT_ONCE = 1 + MAX_OOB
"""Announcements that are taken down by one update."""


class Announced(NamedTuple):
    """What became of an announcement."""

    row: AnnouncementRow
    receipt: Receipt | None
    """None: its time has not come."""
    user_count: int
    """Users whom it reached at once, on all nodes that answered, however many tabs they have."""


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
    check_times(row, now)
    view.item(row)  # before it is stored: what fails must not leave half the work done
    concerned = await settled_audience(services, row)
    async with services.of(Board).changing:
        async with services.database.transaction() as session:
            session.add(row)
            publication_id = await services.of(Unsent).note(session, PUBLISHED, [row.id]) if is_due else ""
        if is_due:
            receipt = await show(services, row, concerned, publication_id)
        else:
            receipt = None
            await _tell_times(services)
    # behind the lock: a node that does not answer holds up this answer, and nothing else
    count = await services.everywhere.users_among(services.hub.reach.without_absent(concerned)) if receipt is not None else 0
    return Announced(row, receipt, count)


async def show(services: Services, row: AnnouncementRow, audience: Audience, publication_id: str) -> Receipt | None:
    """Put a stored announcement on the screens of those whom it concerns, and on all boards; not one that has expired meanwhile.

    `audience` is settled with those who are absent: the board needs them. What is published names only those who are there.
    """
    if row.state != "in_force":
        services.of(Unsent).done(publication_id)
        return None
    hub = services.hub
    there = hub.reach.without_absent(audience)
    receipt = await _push(services, publication_id, row, audience, Part(there, view.published(view.item(row))))
    hub.events.emit("announcement.published", PublishedAnnouncement(str(row.id), row.title, row.message, row.priority))
    return receipt


async def edit(services: Services, announcement_id: UUID, wanted: msgspec.Struct) -> AnnouncementRow:
    """Change what is set in `wanted`, in the row and on the screens that show it. Raises NotFound, InvalidFields.

    When its audience changes, it leaves every screen and is shown to the new one.
    """
    changes: dict[str, Any] = msgspec.to_builtins(wanted, builtin_types=(datetime,))
    board = services.of(Board)
    async with board.changing:
        async with services.database.transaction() as session:
            row = await store.find(session, announcement_id, to_change=True)
            was_shown, heard_before = row.state == "in_force", row.concerned
            change(row, changes)
            view.item(row)  # before it is stored: what fails must not leave half the work done
            audience = await settled_audience(services, row)
            what = EDITED if was_shown and row.concerned == heard_before else MOVED
            publication_id = await services.of(Unsent).note(session, what, [row.id])
        if row.published_at is None:
            await _tell_times(services)
        await _show_change(services, row, audience, what, publication_id)
        return row


async def _tell_times(services: Services) -> None:
    """Whichever node does what is due must know of it. While the journal is away all nodes try, and look every half minute."""
    with suppress(Unavailable):
        await services.hub.publish(Publication(new_short_id(), (), news=TIMES))


async def _show_change(services: Services, row: AnnouncementRow, audience: Audience, what: str, publication_id: str) -> None:
    """Show it in its place, anew on top, or to another audience on top; nothing of one that is not in force."""
    if row.state != "in_force":
        services.of(Unsent).done(publication_id)
        return
    hearing = services.hub.reach.without_absent(audience)
    parts: tuple[Part, ...]
    if what == EDITED:
        parts = (Part(hearing, view.edited(row)),)
    elif what == PUBLISHED:
        parts = (Part(hearing, view.published_again(row)),)
    else:
        parts = Part(everyone, view.gone(row.id)), Part(hearing, view.published(view.item(row)))
    await _push(services, publication_id, row, audience, *parts)


async def recall(services: Services, announcement_id: UUID) -> None:
    """Delete an announcement, then take it from every screen: whoever saw it may be somebody else by now. Raises NotFound."""
    async with services.of(Board).changing:
        async with services.database.transaction() as session:
            row = await store.find(session, announcement_id, to_change=True)
            await session.delete(row)
            publication_id = await services.of(Unsent).note(session, RECALLED, [row.id]) if row.published_at is not None else ""
        if publication_id:
            await _push_recalled(services, publication_id, row.id)


async def _push(services: Services, publication_id: str, row: AnnouncementRow, audience: Audience, *parts: Part) -> Receipt:
    with services.of(Board).knowing(publication_id, audience):
        return await services.of(Unsent).push(Publication(publication_id, parts, news=Told.of(row).news()))


async def _push_recalled(services: Services, publication_id: str, announcement_id: UUID) -> None:
    gone = Part(everyone, view.gone(announcement_id))
    await services.of(Unsent).push(Publication(publication_id, (gone,), news=Told(announcement_id).news()))


async def _show_again(services: Services, again: Again) -> None:
    """As it is now, also where it was edited meanwhile."""
    async with services.of(Board).changing:
        async with services.database.reading() as session:
            row = await store.find(session, UUID(again.things[0]))
        audience = await settled_audience(services, row)
        await _show_change(services, row, audience, again.what, again.id)


async def _recall_again(services: Services, again: Again) -> None:
    await _push_recalled(services, again.id, UUID(again.things[0]))


PUSHES_AGAIN: Mapping[str, PushAgain] = {
    PUBLISHED: _show_again,
    EDITED: _show_again,
    MOVED: _show_again,
    RECALLED: _recall_again,
}


class Schedule:
    """What their times bring about: one node shows those whose hour has come; each takes down from its own pages what is over."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._timetable = Timetable("announcement schedule", services.lease, self._work)
        self._expired_until = utc_now()
        """What had expired by then is on no screen of this node."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block runs."""
        news, changed = self._services.hub.news, self._timetable.changed
        news.on(TIMES.kind, after=lambda _: changed())
        self._services.of(Board).times_changed = changed
        try:
            async with self._timetable.running():
                yield
        finally:
            news.off(TIMES.kind)

    async def _work(self, *, is_ours: bool) -> datetime | None:
        await self._take_down_expired()
        failed = await self._show_due() if is_ours else 0
        async with self._services.database.reading() as session:
            due = await store.next_due(session) if is_ours else None
            expiry = await store.next_expiry(session, self._expired_until)
        if failed:
            due = utc_now() + timedelta(seconds=FAILED_AGAIN_S)
        return min(filter(None, (due, expiry)), default=None)

    async def _show_due(self) -> int:
        """Returns how many could not be shown: they hold up no others, and are tried again."""
        failed = 0
        async with self._services.database.reading() as session:
            due = await store.due(session, utc_now(), AT_ONCE)
        for announcement_id in due:
            try:
                await self._show_one(announcement_id)
            except Unavailable:
                raise
            except Exception:
                failed += 1
                _log.exception("an announcement cannot be shown", announcement=str(announcement_id))
        if len(due) == AT_ONCE and failed < len(due):
            self._timetable.changed()
        return failed

    async def _show_one(self, announcement_id: UUID) -> None:
        async with self._services.of(Board).changing:
            async with self._services.database.transaction() as session:
                row = await store.claim(session, announcement_id, utc_now())
                if row is None:
                    return
                view.item(row)  # what fails must fail before it is claimed for good
                audience = await settled_audience(self._services, row)
                publication_id = await self._services.of(Unsent).note(session, PUBLISHED, [row.id])
            await show(self._services, row, audience, publication_id)

    async def _take_down_expired(self) -> None:
        """From the board and the pages of this node, in one turn: what other nodes change is told before or behind."""
        hub, board = self._services.hub, self._services.of(Board)
        async with board.changing:
            now = utc_now()
            async with self._services.database.reading() as session:
                expired = await store.expired_between(session, self._expired_until, now)
            for start in range(0, len(expired), GONE_AT_ONCE):
                if gone := [found for found, version in expired[start : start + GONE_AT_ONCE] if board.expire(found, version)]:
                    hub.deliver_here(one(everyone, view.gone(*gone)))
                await asyncio.sleep(0)  # each goes to every page: other work has its turn in between
            self._expired_until = now
