"""Socket handlers: come into a room, say something there, leave it, and write to somebody."""

from functools import partial

import msgspec

from app.features.asking import read, signed_in, written
from app.features.fragments import fragments
from app.features.messages import Content, Seam, last_messages, send_to_room, send_to_user, shown_on_joining
from app.features.rooms import (
    RoomId,
    check_room_for_one_more,
    entering,
    leave,
    require_member,
    require_presence,
    told_of_entering,
)
from app.features.services import Services
from app.features.users import addressing
from app.hub.audience import Id
from app.hub.connection import Connection
from app.hub.face import html
from app.hub.handlers import Reply, Request
from app.kernel.errors import NotFound, Refused


class Entering(msgspec.Struct, frozen=True, rename="camel"):
    """Which room."""

    room_id: RoomId


class Leaving(msgspec.Struct, frozen=True, rename="camel"):
    """Which room; empty: the one that was joined last."""

    room_id: str = ""


class Saying(msgspec.Struct, frozen=True, rename="camel"):
    """What, and in which room: to guess it would say things in rooms where they were not meant to be said."""

    message: Content
    room_id: str


class Writing(msgspec.Struct, frozen=True, rename="camel"):
    """What, and to whom."""

    recipient_id: Id
    message: Content


async def join_room(services: Services, request: Request, connection: Connection) -> Reply:
    """Come into a room: the others are told, and the page is shown what was said there last."""
    user = signed_in(connection, "join rooms")
    room_id = read(request, Entering).room_id
    check_room_for_one_more(services, connection, room_id)
    if (catch_up := connection.outbox.catch_up) is not None:
        await catch_up.until_live()  # what it is answered comes behind all that it reads until then, which the list would hide
    seam = services.of(Seam)
    async with entering(services, connection, room_id, user):
        with seam.joining(room_id, connection.id) as joining:
            async with services.database.reading() as session:
                await require_member(session, room_id, user)
                before = await last_messages(session, room_id)
            await seam.until_delivered(before, joining)
            require_presence(connection, room_id)
            await told_of_entering(services, connection, [room_id], user)
            shown = shown_on_joining(services, before, joining)
    return Reply(html("<div>Joined room {}</div>", room_id), oob=(shown,))


async def leave_room(services: Services, request: Request, connection: Connection) -> Reply:
    """Leave a room: the others are told with the user's last page there. Who is a member of a private room stays one."""
    user = signed_in(connection, "leave rooms")
    room_id = read(request, Leaving).room_id or next(reversed(tuple(connection.rooms)), "")
    if room_id not in connection.rooms:
        raise _not_in_room()
    await leave(services, connection, room_id, user)
    return Reply("<div>Left room</div>")


async def send_message(services: Services, request: Request, connection: Connection) -> Reply:
    """Say something in a room that the page is in; the field that it was typed into is emptied."""
    user = signed_in(connection, "send messages")
    asked = read(request, Saying)
    if asked.room_id not in connection.rooms:
        raise _not_in_room()
    content = written(asked.message)
    try:
        await send_to_room(services, asked.room_id, content, sender=user, author=user.name)
    except NotFound:
        raise _not_in_room() from None
    return Reply(fragments.render("chat/emptied-input.html"), target="#message-input", swap="outerHTML")


async def private_message(services: Services, request: Request, connection: Connection) -> Reply:
    """Write to a user, on all of the user's pages; one who is away is shown it at the next connect."""
    user = signed_in(connection, "send messages")
    asked = read(request, Writing)
    content = written(asked.message)
    try:
        to_them = partial(send_to_user, services, asked.recipient_id, content, sender=user)
        await addressing(services, asked.recipient_id, to_them)
    except NotFound as error:
        raise Refused("There is no such user", code=error.code) from None
    return Reply(html("<div>Message sent to user {}</div>", asked.recipient_id))


def _not_in_room() -> Refused:
    return Refused("You are not in this room", code="not_in_room")
