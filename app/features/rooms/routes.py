"""REST: rooms and their members."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from app.features.listing import After, ClusterPage, Limit, Page, linked
from app.features.paths import RoomIdInPath, UserIdInPath
from app.features.rooms import service, store
from app.features.rooms.model import RoomMemberRow, RoomRow
from app.features.rooms.service import RoomChange, RoomId
from app.features.services import GivenServices
from app.kernel.ids import new_short_id
from app.kernel.text import NO_NUL
from app.web.operation import operation

TAG = "Rooms"

_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What people see")]


class NewRoom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A room to be made."""

    id: Annotated[
        RoomId | UnsetType,
        Meta(description="A word without slashes, control characters, and space at its ends; made where it is not given"),
    ] = UNSET
    name: Annotated[_Name | UnsetType, Meta(description="What people see; the id where none is given")] = UNSET
    is_private: Annotated[bool, Meta(description="Only members may come in")] = False


class ChangedRoom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be another; what is not given stays."""

    name: _Name | UnsetType = UNSET
    is_private: bool | UnsetType = UNSET


class Room(msgspec.Struct, kw_only=True):
    """A room."""

    id: str
    name: str
    is_private: bool
    created_at: datetime
    connections: Annotated[int | None, Meta(description="Pages that are in it now; null: not all nodes answered in time")]

    @classmethod
    async def of(cls, row: RoomRow, services: GivenServices) -> Self:
        """As the REST interface shows it."""
        return (await cls.of_all([row], services))[0]

    @classmethod
    async def of_all(cls, rows: Sequence[RoomRow], services: GivenServices) -> list[Self]:
        """The same for several: the nodes are asked once."""
        there = await services.everywhere.count_in_rooms(row.id for row in rows)
        return [
            cls(id=row.id, name=row.name, is_private=row.is_private, created_at=row.created_at, connections=there[row.id])
            for row in rows
        ]


class RoomPage(Page[Room]):
    """One page of rooms."""


class RoomMember(msgspec.Struct, kw_only=True):
    """A user who belongs to a room."""

    user_id: str
    joined_at: datetime
    is_live: Annotated[bool, Meta(description="Whether a page of the user is in the room now, on the nodes that answered")]

    @classmethod
    def of(cls, row: RoomMemberRow, *, is_live: bool) -> Self:
        """As the REST interface shows it."""
        return cls(user_id=row.user_id, joined_at=row.joined_at, is_live=is_live)


class RoomMemberPage(ClusterPage[RoomMember]):
    """One page of members."""


_EXAMPLE = {"id": "lobby", "name": "Lobby", "is_private": False, "created_at": "2026-11-24T20:16:03Z", "connections": 2}
_MEMBER = {"user_id": "ada", "joined_at": "2026-11-24T20:16:03Z", "is_live": True}


@operation("GET", "/rooms", scope="rooms:read", tag=TAG, summary="List rooms", gives={"items": [_EXAMPLE], "next_cursor": None})
async def list_rooms(services: GivenServices, limit: Limit = 50, cursor: After = None) -> Response[RoomPage]:
    """All rooms, by id, private ones too."""
    async with services.database.reading() as session:
        found = await store.page(session, limit=limit, cursor=cursor)
    return linked(RoomPage(await Room.of_all(found.rows, services), found.next_cursor), limit=limit)


@operation(
    "POST",
    "/rooms",
    scope="rooms:write",
    tag=TAG,
    summary="Make a room",
    status=HTTPStatus.CREATED,
    takes={"id": "lobby", "name": "Lobby"},
    gives={**_EXAMPLE, "connections": 0},
    errors=[409],
)
async def create_room(data: JSONBody[NewRoom], services: GivenServices) -> Response[Room]:
    """Make a room. Signed-in users make public ones by joining them, where `WSX_OPEN_ROOMS` is true."""
    room_id = new_short_id() if data.id is UNSET else data.id
    name = room_id if data.name is UNSET else data.name
    row = await service.create(services, room_id, name, is_private=data.is_private)
    return Response(await Room.of(row, services), headers={"Location": f"/api/v1/rooms/{quote(row.id, safe='')}"})


@operation("GET", "/rooms/{room_id:str}", scope="rooms:read", tag=TAG, summary="One room", gives=_EXAMPLE, errors=[404])
async def get_room(room_id: RoomIdInPath, services: GivenServices) -> Room:
    """One room."""
    async with services.database.reading() as session:
        row = await store.find(session, room_id)
    return await Room.of(row, services)


@operation(
    "PATCH",
    "/rooms/{room_id:str}",
    scope="rooms:write",
    tag=TAG,
    summary="Change a room",
    takes={"name": "Lobby", "is_private": True},
    gives={**_EXAMPLE, "is_private": True},
    errors=[404],
)
async def change_room(room_id: RoomIdInPath, data: JSONBody[ChangedRoom], services: GivenServices) -> Room:
    """Rename it, make it private or public. Who is in it stays in it.

    A public room that is made private keeps all who ever joined it, and did not leave, as its members.
    """
    given = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    return await Room.of(await service.change(services, room_id, RoomChange(**given)), services)


@operation(
    "DELETE",
    "/rooms/{room_id:str}",
    scope="rooms:write",
    tag=TAG,
    summary="Delete a room",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def delete_room(room_id: RoomIdInPath, services: GivenServices) -> None:
    """Delete it with its messages. The pages that are in it are told in `#room-activity`, and leave it."""
    await service.remove(services, room_id)


@operation(
    "GET",
    "/rooms/{room_id:str}/members",
    scope="rooms:read",
    tag=TAG,
    summary="Who belongs to a room",
    gives={"items": [_MEMBER], "next_cursor": None, "incomplete": []},
    errors=[404],
)
async def list_room_members(
    room_id: RoomIdInPath,
    services: GivenServices,
    limit: Limit = 50,
    cursor: After = None,
    live: Annotated[bool, QueryParameter(description="Only those who have a page in the room now")] = False,  # noqa: FBT002 - a query parameter
) -> Response[RoomMemberPage]:
    """The members, by user id: those who joined it, and those whom the back office let in."""
    found = await service.list_members(services, room_id, live=live, limit=limit, cursor=cursor)
    items = [RoomMember.of(row, is_live=row.user_id in found.there) for row in found.members.rows]
    shown = RoomMemberPage(items, found.members.next_cursor, list(found.missing))
    return linked(shown, limit=limit, live="true" if live else None)


@operation(
    "PUT",
    "/rooms/{room_id:str}/members/{user_id:str}",
    scope="rooms:write",
    tag=TAG,
    summary="Let a user in",
    gives=_MEMBER,
    errors=[404],
)
async def add_room_member(room_id: RoomIdInPath, user_id: UserIdInPath, services: GivenServices) -> RoomMember:
    """Make the user a member, who may then join a private room. Again changes nothing."""
    row = await service.let_in(services, room_id, user_id)
    there, _ = await service.live_among(services, room_id, [user_id])
    return RoomMember.of(row, is_live=user_id in there)


@operation(
    "DELETE",
    "/rooms/{room_id:str}/members/{user_id:str}",
    scope="rooms:write",
    tag=TAG,
    summary="Put a user out",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def remove_room_member(room_id: RoomIdInPath, user_id: UserIdInPath, services: GivenServices) -> None:
    """End the membership; the user's pages leave the room at once, and the others there are told."""
    await service.put_out(services, room_id, user_id)


routes = [
    list_rooms,
    create_room,
    get_room,
    change_room,
    delete_room,
    list_room_members,
    add_room_member,
    remove_room_member,
]
