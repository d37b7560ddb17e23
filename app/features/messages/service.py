"""Use cases: say something in a room or to somebody, edit it, remove it, and what a page is shown that joins."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.features.away import Away, Waiting
from app.features.messages import store, view
from app.features.messages.model import MessageRow, Told
from app.features.messages.pushing import Looks, audience_of, edited, removed
from app.features.messages.seam import SHOWN_ON_JOINING, Joining, Seam, Shown, newest_that_fit
from app.features.rooms import find_room
from app.features.services import Services
from app.features.sweeping import swept
from app.features.unsent import Again, PushAgain, Unsent, noted
from app.features.users import connected_user, name_of
from app.hub.audience import nobody
from app.hub.events import SentMessage
from app.hub.publication import Part, Publication, Receipt
from app.kernel.clock import utc_now
from app.kernel.identity import User
from app.kernel.ids import new_id
from app.kernel.text import NO_NUL
from app.wire.update import Fragment, Update

MAX_MESSAGE_CHARS = 10_000
"""Characters of one message: several pages of text. Longer ones are documents."""
SWEEP_EVERY_S: Final = 60.0
"""Seconds between two looks for messages that are too old."""
SAID, EDITED, REMOVED = "message.said", "message.edited", "message.removed"
Content = Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL, description="Plain text; shown escaped")]


class AwayFromMessages(Away):
    """Private messages to users who are away."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, MessageRow, partial(_undelivered, services.of(Looks)))


async def send_to_room(
    services: Services, room_id: str, content: str, *, sender: User | None, author: str, in_name_of: str | None = None
) -> tuple[MessageRow, Receipt]:
    """Store a message to a room, then show it on all pages that are in it. Raises NotFound.

    `sender` None: the back office, as `author`; or in the name of the user with the id `in_name_of`, who gets a row if nobody heard
    of them.
    """
    if in_name_of is not None:
        sender = await _named(services, in_name_of)
    row = _new(content, sender, author if sender is None else sender.name)
    row.room_id = room_id
    publication_id = await _store(services, row, [] if sender is None else [sender])
    receipt = await _push_said(services, row, publication_id, view.said(row))
    _tell_of(services, row)
    return row, receipt


async def would_say(services: Services, room_id: str, content: str, *, author: str, in_name_of: str | None) -> Update:
    """What pages would be shown by `send_to_room` of the back office. Raises NotFound."""
    row = _new(content, None, author)
    row.room_id = room_id
    async with services.database.reading() as session:
        await find_room(session, room_id)
        if in_name_of is not None:
            row.author = await name_of(session, services.hub, in_name_of)
    return view.said(row)


async def send_to_user(services: Services, recipient_id: str, content: str, *, sender: User) -> MessageRow:
    """Store a message to a user, then show it on all the user's pages; one who is away is shown it at the next connect.

    Raises NotFound for a recipient nobody heard of.
    """
    row = _new(content, sender, sender.name)
    row.recipient_id = recipient_id
    recipient = connected_user(services.hub, recipient_id)
    publication_id = await _store(services, row, [sender] if recipient is None else [sender, recipient])
    await _push_said(services, row, publication_id, view.said(row))
    _tell_of(services, row)
    return row


async def edit(services: Services, message_id: UUID, content: str) -> MessageRow:
    """Change what a message says, on every screen that shows it. Raises NotFound."""
    async with services.database.transaction() as session:
        row = await store.find(session, message_id, to_change=True)
        row.content = content
        row.edited_at = utc_now()
        publication_id = await services.of(Unsent).note(session, EDITED, [row.id])
    await _push_edited(services, row, publication_id)
    return row


async def remove(services: Services, message_id: UUID) -> None:
    """Delete a message; it leaves every screen that shows it. Raises NotFound."""
    async with services.database.transaction() as session:
        row = await store.find(session, message_id, to_change=True)
        await session.delete(row)
        publication_id = await services.of(Unsent).note(session, REMOVED, [row.id], audience_of(row))
    await services.of(Unsent).push(removed(publication_id, row.id, audience_of(row)))
    services.of(Looks).told_removed(row.id)


async def last_messages(session: AsyncSession, room_id: str) -> Sequence[Shown]:
    """The last messages of a room, oldest first, for `shown_on_joining`: as many as a page is shown."""
    found = await store.page_of_room(session, room_id, limit=SHOWN_ON_JOINING, cursor=None)
    return newest_that_fit((row.id, view.item(row)) for row in found.rows)


async def last_private_messages(session: AsyncSession, user_id: str) -> Sequence[Shown]:
    """The last messages to a user, oldest first: for a page that is made anew."""
    found = await store.newest_to_user(session, user_id, SHOWN_ON_JOINING)
    return [(row.id, view.item(row)) for row in reversed(found)]


def shown_on_joining(services: Services, before: Sequence[Shown], joining: Joining) -> Fragment:
    """The last messages, as they are by now, and as many as a page is shown. Answer with it at once: see `Seam`."""
    return view.history(services.of(Seam).joined(before, joining))


def _new(content: str, sender: User | None, author: str) -> MessageRow:
    sender_id = sender.id if sender is not None else None
    return MessageRow(id=new_id(), sender_id=sender_id, author=author, content=content, created_at=utc_now())


async def _named(services: Services, user_id: str) -> User:
    """The user in whose name the back office speaks."""
    if (user := connected_user(services.hub, user_id)) is not None:
        return user
    async with services.database.reading() as session:
        return User(user_id, await name_of(session, services.hub, user_id))


async def _store(services: Services, row: MessageRow, people: Sequence[User]) -> str:
    """Store a message, to be pushed under the id that is returned. What is said in one place stays in order."""
    note = noted(SAID, [row.id])
    place = row.room_id if row.room_id is not None else f"to {row.recipient_id}"
    await services.database.write(store.SAYING, store.Saying(row, note, people), lane=place)
    return str(note["id"])


async def _push_said(services: Services, row: MessageRow, publication_id: str, update: Update) -> Receipt:
    """Show a new message; `update`: how."""
    if row.room_id is not None:
        part, news = Part(audience_of(row), update), Told(row.id, row.room_id, "said").news()
        return await services.of(Unsent).push(Publication(publication_id, (part,), news=news))
    part = Part(audience_of(row), update, str(row.id))
    news = services.of(AwayFromMessages).news([(row.id, row.recipient_id or "")])
    receipt = await services.of(Unsent).push(Publication(publication_id, (part,), news=news))
    services.of(Looks).told(row)
    return receipt


async def _push_edited(services: Services, row: MessageRow, publication_id: str) -> None:
    await services.of(Unsent).push(edited(publication_id, row))
    services.of(Looks).told(row)


async def _say_again(services: Services, again: Again) -> None:
    row = await _find_again(services, again)
    await _push_said(services, row, again.id, view.said_again(row))
    services.of(Looks).told(row)


async def _edit_again(services: Services, again: Again) -> None:
    await _push_edited(services, await _find_again(services, again), again.id)


async def _remove_again(services: Services, again: Again) -> None:
    await services.of(Unsent).push(removed(again.id, UUID(again.things[0]), again.heard_by or nobody))


async def _find_again(services: Services, again: Again) -> MessageRow:
    async with services.database.reading() as session:
        return await store.find(session, UUID(again.things[0]))


PUSHES_AGAIN: Mapping[str, PushAgain] = {SAID: _say_again, EDITED: _edit_again, REMOVED: _remove_again}


def _tell_of(services: Services, row: MessageRow) -> None:
    services.hub.events.emit(
        "message.sent", SentMessage(str(row.id), row.room_id, row.recipient_id, row.sender_id, row.author, row.content)
    )


async def _undelivered(
    looks: Looks, session: AsyncSession, user_ids: Collection[str], after: UUID, limit: int
) -> Sequence[Waiting]:
    rows = await store.undelivered(session, user_ids, after, limit)
    return [Waiting(row.id, row.recipient_id or "", view.said(row), partial(looks.told, row)) for row in rows]


class Retention:
    """Deletes messages that are older than the operator wants, a few at a time. Pages that show one are not told."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._deleted_until = UUID(int=0)
        """Up to which id there is nothing left: PostgreSQL passes by all that was deleted until its next vacuum."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delete while the block runs, if the operator wants it."""
        if not self._services.settings.message_retention_days:
            yield
            return
        self._services.hub.on_lost(self._look_at_all)
        try:
            async with swept(self._services, "messages", self._delete_some, every_s=SWEEP_EVERY_S):
                yield
        finally:
            self._services.hub.on_lost.remove(self._look_at_all)

    async def _delete_some(self, session: AsyncSession, at_most: int) -> int:
        oldest_kept = utc_now() - timedelta(days=self._services.settings.message_retention_days)
        ids = await store.delete_older(session, oldest_kept, self._deleted_until, at_most)
        if ids:
            event.listen(session.sync_session, "after_commit", lambda _: self._have_deleted(ids[-1]))  # one that fails deletes none
        return len(ids)

    def _have_deleted(self, until: UUID) -> None:
        self._deleted_until = until

    def _look_at_all(self) -> None:
        """The database may be an older one, which has them still."""
        self._deleted_until = UUID(int=0)
