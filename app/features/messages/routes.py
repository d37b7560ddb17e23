"""REST: messages."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from app.auth.keys import Caller
from app.features.dry_run import DryRun, dry_run
from app.features.listing import After, Limit, Page, linked
from app.features.messages import service, store
from app.features.messages.model import MessageRow
from app.features.messages.service import Content
from app.features.paths import RoomIdInPath
from app.features.rooms import find_room
from app.features.services import GivenServices, Services
from app.hub.audience import Id, rooms
from app.web.given import GivenCaller
from app.web.operation import operation

TAG = "Messages"


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message to a room."""

    message: Content
    user_id: Annotated[Id | None, Meta(description="In whose name; null: in the name of the key")] = None


class ChangedMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a message is to say."""

    message: Content


class Message(msgspec.Struct, kw_only=True):
    """A message, in a room or to one user."""

    id: UUID
    room_id: str | None
    recipient_id: str | None
    sender_id: Annotated[str | None, Meta(description="null: the back office")]
    author: Annotated[str, Meta(description="The name that was shown when it was written")]
    message: str
    created_at: datetime
    edited_at: datetime | None

    @classmethod
    def of(cls, row: MessageRow) -> Self:
        """As the REST interface shows it."""
        return cls(
            id=row.id,
            room_id=row.room_id,
            recipient_id=row.recipient_id,
            sender_id=row.sender_id,
            author=row.author,
            message=row.content,
            created_at=row.created_at,
            edited_at=row.edited_at,
        )


class SentRoomMessage(Message, kw_only=True):
    """A new message, and whom it reached at once."""

    matched: Annotated[int, Meta(description="Connections in the room")]
    queued: Annotated[int, Meta(description="Connections that it was queued for")]


class MessagePage(Page[Message]):
    """One page of messages."""


_EXAMPLE = {
    "id": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7",
    "room_id": "lobby",
    "recipient_id": None,
    "sender_id": "ada",
    "author": "Ada",
    "message": "Good morning",
    "created_at": "2026-11-24T20:16:03Z",
    "edited_at": None,
}


@operation(
    "GET",
    "/rooms/{room_id:str}/messages",
    scope="messages:read",
    tag=TAG,
    summary="What was said in a room",
    gives={"items": [_EXAMPLE], "next_cursor": None},
    errors=[404],
)
async def list_room_messages(
    room_id: RoomIdInPath, services: GivenServices, limit: Limit = 50, cursor: After = None
) -> Response[MessagePage]:
    """Newest first."""
    async with services.database.reading() as session:
        found = await store.page_of_room(session, room_id, limit=limit, cursor=cursor)
        if not found.rows:
            await find_room(session, room_id)
    return linked(MessagePage([Message.of(row) for row in found.rows], found.next_cursor), limit=limit)


async def try_room_message(room_id: str, data: NewMessage, services: Services, caller: Caller) -> DryRun:
    """What `create_room_message` would do."""
    shown = await service.would_say(services, room_id, data.message, author=caller.name, in_name_of=data.user_id)
    return await dry_run(services, caller, rooms(room_id), shown)


@operation(
    "POST",
    "/rooms/{room_id:str}/messages",
    dry_run=try_room_message,
    scope="messages:write",
    tag=TAG,
    summary="Say something in a room",
    status=HTTPStatus.CREATED,
    takes={"message": "Good morning", "user_id": "ada"},
    gives={**_EXAMPLE, "matched": 2, "queued": 2},
    errors=[404],
)
async def create_room_message(
    room_id: RoomIdInPath, data: JSONBody[NewMessage], services: GivenServices, caller: GivenCaller
) -> Response[SentRoomMessage]:
    """Store it and show it at the end of `#chat-messages` on every page that is in the room, like any other message."""
    row, receipt = await service.send_to_room(
        services, room_id, data.message, sender=None, author=caller.name, in_name_of=data.user_id
    )
    shown = msgspec.structs.asdict(Message.of(row))
    return Response(
        SentRoomMessage(**shown, matched=receipt.matched, queued=receipt.queued), headers={"Location": f"/api/v1/messages/{row.id}"}
    )


@operation(
    "GET",
    "/messages/{message_id:uuid}",
    scope="messages:read",
    tag=TAG,
    summary="One message",
    gives=_EXAMPLE,
    errors=[404],
)
async def get_message(message_id: FromPath[UUID], services: GivenServices) -> Message:
    """One message, private ones too."""
    async with services.database.reading() as session:
        return Message.of(await store.find(session, message_id))


@operation(
    "PATCH",
    "/messages/{message_id:uuid}",
    scope="messages:write",
    tag=TAG,
    summary="Edit a message",
    takes={"message": "Good evening"},
    gives={**_EXAMPLE, "message": "Good evening", "edited_at": "2026-11-24T20:17:00Z"},
    errors=[404],
)
async def change_message(message_id: FromPath[UUID], data: JSONBody[ChangedMessage], services: GivenServices) -> Message:
    """It changes on every page that is in the room, or on all pages of its recipient."""
    return Message.of(await service.edit(services, message_id, data.message))


@operation(
    "DELETE",
    "/messages/{message_id:uuid}",
    scope="messages:write",
    tag=TAG,
    summary="Remove a message",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def delete_message(message_id: FromPath[UUID], services: GivenServices) -> None:
    """It leaves every page that is in the room, or all pages of its recipient."""
    await service.remove(services, message_id)


routes = [list_room_messages, create_room_message, get_message, change_message, delete_message]
