"""Use cases: make and change rooms; who belongs to them; who comes in and leaves.

Two things are kept apart. A **member** is a user, and stored: it says who may come in. Who is **in** a room now is a connection,
and lives in the registry: a page hears a room because it joined it, not because its user did so once.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.page import Slice, decode_cursor, encode_cursor
from app.features.rooms import store, view
from app.features.rooms.model import RoomMemberRow, RoomRow
from app.features.rooms.visits import Visits
from app.features.services import Services
from app.features.telling import tell
from app.features.unsent import Again, PushAgain, Unsent
from app.features.users import ensure_signed_in, ensure_users
from app.hub.audience import AllOf, Audience, Except, connections, rooms, users
from app.hub.connection import Connection
from app.hub.events import RoomVisit
from app.hub.publication import Leaving, Part, Publication, one
from app.kernel.errors import Conflict, NotFound, Refused
from app.kernel.identity import User

REMOVED, PUT_OUT = "room.removed", "room.put_out"

RoomId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[^\u0000-\u0020\u007f/]([^\u0000-\u001f\u007f/]*[^\u0000-\u0020\u007f/])?$(?!\n)",
        description="The site's own word for the room, without slashes, control characters, and space at its ends",
        examples=["lobby"],
    ),
]


class RoomChange(msgspec.Struct, frozen=True):
    """What is to be another; None: stays as it is."""

    name: str | None = None
    is_private: bool | None = None


class Members(NamedTuple):
    """One page of those who belong to a room."""

    members: Slice[RoomMemberRow]
    there: Collection[str]
    """Ids of those of them who have a page in it now."""
    missing: Collection[str]
    """Nodes that did not answer: a page there is not known of."""


async def create(services: Services, room_id: str, name: str, *, is_private: bool) -> RoomRow:
    """Make a room. Raises Conflict when there is one of this id."""
    async with services.database.transaction() as session:
        row, is_new = await store.ensure_room(session, room_id, name, is_private=is_private)
        if not is_new:
            message = f"there is a room {room_id!r} already; PATCH changes it, and its members stay"
            raise Conflict(message)
        return row


async def change(services: Services, room_id: str, wanted: RoomChange) -> RoomRow:
    """Rename a room, make it private or public. A public room that becomes private keeps its members. Raises NotFound."""
    async with services.database.transaction() as session:
        row = await store.find_to_change(session, room_id)
        if wanted.name is not None:
            row.name = wanted.name
        if wanted.is_private is not None:
            row.is_private = wanted.is_private
    return row


async def remove(services: Services, room_id: str) -> None:
    """Delete a room and its messages; every page that is in it is told and leaves it. Raises NotFound."""
    async with services.database.transaction() as session:
        row = await store.find_to_change(session, room_id)
        shown = Part(rooms(room_id), view.closed(row.name))
        await session.delete(row)
        publication_id = await services.of(Unsent).note(session, REMOVED, [room_id])
    await _close(services, publication_id, room_id, shown)


async def _close(services: Services, publication_id: str, room_id: str, shown: Part) -> None:
    news = services.of(Visits).closed(room_id)
    leaving = Leaving(rooms(room_id), room_id)
    await services.of(Unsent).push(Publication(publication_id, (shown,), leaving=leaving, news=news))


async def _close_again(services: Services, again: Again) -> None:
    """Also where there is a room of this id again: whoever was in the old one must not hear the new one."""
    (room_id,) = again.things
    await _close(services, again.id, room_id, Part(rooms(room_id), view.closed(room_id)))


def _pages_of(room_id: str, user_id: str) -> Audience:
    return AllOf((rooms(room_id), users(user_id)))


async def _put_out(services: Services, publication_id: str, room_id: str, user_id: str) -> None:
    news = await services.of(Visits).put_out(room_id, user_id)
    leaving = Leaving(_pages_of(room_id, user_id), room_id)
    await services.of(Unsent).push(Publication(publication_id, (), leaving=leaving, news=news))


async def _put_out_again(services: Services, again: Again) -> None:
    """Unless the user has been let in again."""
    room_id, user_id = again.things
    async with services.database.reading() as session:
        is_back = await store.member(session, room_id, user_id) is not None
    if not is_back:
        await _put_out(services, again.id, room_id, user_id)


PUSHES_AGAIN: Mapping[str, PushAgain] = {REMOVED: _close_again, PUT_OUT: _put_out_again}


async def let_in(services: Services, room_id: str, user_id: str) -> RoomMemberRow:
    """Make a user a member, by the back office; a user nobody heard of gets a row. Again changes nothing. Raises NotFound."""
    async with services.database.transaction() as session:
        await store.find(session, room_id, is_kept=True)
        await ensure_users(session, [user_id])
        return await store.ensure_member(session, room_id, user_id)


async def put_out(services: Services, room_id: str, user_id: str) -> None:
    """End a membership; the user's pages leave the room at once, and the others are told.

    Raises NotFound, and Unavailable: then nothing was changed. Nodes that cannot be told now are told later.
    """
    async with services.database.transaction() as session:
        await store.find(session, room_id)
        was_member = await store.remove_member(session, room_id, user_id)
        publication_id = await services.of(Unsent).note(session, PUT_OUT, [room_id, user_id])
    _leave_all(services, services.hub.registry.resolve(_pages_of(room_id, user_id)), room_id)
    await _put_out(services, publication_id, room_id, user_id)
    if not was_member:
        message = "this user is no member of the room"
        raise NotFound(message)


@asynccontextmanager
async def entering(services: Services, connection: Connection, room_id: str, user: User) -> AsyncIterator[None]:
    """Around the coming in of a page, whose user becomes a member. It hears the room from the start of the block on.

    When the block raises, a page that was not in the room before hears it no longer. Raises Refused, and Unavailable.
    """
    is_new, registry = room_id not in connection.rooms, services.hub.registry
    async with services.of(Visits).turns.of(room_id, user.id):  # who leaves meanwhile must not end this membership
        async with services.database.transaction() as session:
            await _become_member(session, services, room_id, user)
        registry.join(connection, room_id)
    try:
        yield
    except BaseException:
        if is_new:
            registry.leave(connection, room_id)
        raise


async def _become_member(session: AsyncSession, services: Services, room_id: str, user: User) -> None:
    """As far as the room and the settings allow. A private room of others answers like one that does not exist."""
    row = await store.kept(session, room_id)
    if row is None and services.settings.open_rooms:
        row, _ = await store.ensure_room(session, room_id, room_id, is_private=False)
    if row is None or (row.is_private and await store.member(session, room_id, user.id) is None):
        raise _closed()
    await ensure_signed_in(session, [user])
    await store.ensure_member(session, room_id, user.id)


async def require_member(session: AsyncSession, room_id: str, user: User) -> None:
    """Raises Refused unless the user is a member: the back office may have put the user out a moment ago."""
    if await store.member(session, room_id, user.id) is None:
        raise _closed()


def require_presence(connection: Connection, room_id: str) -> None:
    """Raises Refused unless the page is still in the room: it may have been put out, the room deleted, or the page closed."""
    if room_id not in connection.rooms:
        raise _closed()


def check_room_for_one_more(services: Services, connection: Connection, room_id: str) -> None:
    """Raises Refused when the connection is in as many rooms as one may be."""
    limit = services.settings.max_rooms_per_socket
    if room_id not in connection.rooms and len(connection.rooms) >= limit:
        sentence = f"You are in {limit} rooms, which is all that one page may join"
        raise Refused(sentence, code="too_many_rooms")


async def told_of_entering(services: Services, connection: Connection, room_ids: Collection[str], user: User) -> None:
    """Tell the others in the rooms, and whoever listens to events, that the user came in; not where the user is there already.

    Of two pages that come at once, the first to get in is told of. Call it in the same turn of the loop as `require_presence`.
    """
    for room_id in await services.of(Visits).came(connection, room_ids, user):
        services.hub.events.emit("room.joined", RoomVisit(room_id, user))  # first: `room.left` may follow while we publish
        others = Except(rooms(room_id), connections(connection.id))
        await tell(services.hub, one(others, view.joined(user.name)), "who joined a room")


async def come_back(services: Services, connection: Connection, room_ids: Collection[str]) -> None:
    """Take a page that is back out of those rooms of which its user is no member any more. Raises Unavailable.

    The others are told of it only where they were told that the user left.
    """
    user = connection.user
    belongs_to: Collection[str] = ()
    if user is not None:
        async with services.database.reading() as session:
            belongs_to = await store.among_members(session, room_ids, user.id)
    for room_id in room_ids:
        if room_id not in belongs_to:
            services.hub.registry.leave(connection, room_id)
    if user is not None:
        there = [room_id for room_id in room_ids if room_id in connection.rooms]  # it may have been put out
        await told_of_entering(services, connection, there, user)


async def leave(services: Services, connection: Connection, room_id: str, user: User) -> None:
    """Take the page out of the room. With the user's last page the others are told, and the membership of a public room ends.

    That of a private room stays: the back office granted it, and only the back office ends it. Pages of all nodes count.
    """
    visits = services.of(Visits)
    is_elsewhere = await visits.has_pages_elsewhere(room_id, user.id)
    async with visits.turns.of(room_id, user.id):
        is_last = not _other_pages(services, connection, room_id, user)
        if is_last and not is_elsewhere:
            async with services.database.transaction() as session:
                row = await store.kept(session, room_id)
                if row is not None and not row.is_private:
                    await store.remove_member(session, room_id, user.id)
        services.hub.registry.leave(connection, room_id)
    has_left = visits.page_left(connection, room_id, user.id)
    if has_left and is_last:  # else another page is on its way in: should it be turned away, the others are told after the grace
        await visits.leave(room_id, user.id, is_told=not is_elsewhere)


async def list_members(services: Services, room_id: str, *, live: bool, limit: int, cursor: str | None) -> Members:
    """One page of the members, by id; `live`: only those who have a page in the room now. Raises NotFound, InvalidFields."""
    if live:
        after = decode_cursor(cursor) if cursor is not None else ""
        found = await services.everywhere.users(rooms(room_id), after=after, limit=limit)
        there = [one.id for one in found.items]
        async with services.database.reading() as session:
            await store.find(session, room_id)
            members = await store.members(session, room_id, among=there, limit=limit, cursor=None)
        return Members(Slice(members.rows, encode_cursor(there[-1]) if found.has_more else None), set(there), found.missing)
    async with services.database.reading() as session:
        await store.find(session, room_id)
        members = await store.members(session, room_id, among=None, limit=limit, cursor=cursor)
    return Members(members, *await live_among(services, room_id, [row.user_id for row in members.rows]))


async def live_among(services: Services, room_id: str, user_ids: Collection[str]) -> tuple[Collection[str], Collection[str]]:
    """Those of the users who have a page in the room now; and the nodes that did not answer."""
    if not user_ids:
        return (), ()
    found = await services.everywhere.users(AllOf((rooms(room_id), users(*user_ids))), limit=len(user_ids))
    return {one.id for one in found.items}, found.missing


def _other_pages(services: Services, connection: Connection, room_id: str, user: User) -> Sequence[Connection]:
    """The other pages of the user that are in the room."""
    pages = services.hub.registry.of_user(user.id)
    return [page for page in pages if page is not connection and room_id in page.rooms]


def _closed() -> Refused:
    return Refused("This room cannot be joined", code="room_closed")


def _leave_all(services: Services, there: Collection[Connection], room_id: str) -> None:
    for connection in tuple(there):  # a copy: leaving changes the registry's sets
        services.hub.registry.leave(connection, room_id)
