"""REST: live connections."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.features.broadcasts import clean
from app.features.closing import ClosedConnections, Reasoned, close_all
from app.features.connections.view import ConnectionInfo, ConnectionPage, filtered, page
from app.features.listing import After, Limit, linked
from app.hub.audience import Audience, connections, signed_in
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.publication import one
from app.kernel.errors import NotFound
from app.web.given import GivenCaller, GivenHub
from app.web.operation import operation
from app.wire.update import Update

TAG = "Connections"


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to look for."""

    audience: Audience


class Closing(Reasoned, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to close, and why. To close everyone, say so: `{"kind": "everyone"}`."""

    audience: Audience


class ConnectionCount(msgspec.Struct):
    """How many are there."""

    connections: int
    signed_in: Annotated[int, Meta(description="Connections with a user")]
    users: Annotated[int, Meta(description="Users with at least one connection")]


class SentUpdate(msgspec.Struct):
    """An update on its way to one connection."""

    id: str
    matched: int
    queued: int


_EXAMPLE = {
    "id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7",
    "user_id": "ada",
    "user_name": "Ada",
    "roles": ["premium"],
    "rooms": ["lobby"],
    "dialect": "wsx.v1",
    "address": "127.0.0.1",
    "user_agent": "Mozilla/5.0",
    "connected_at": "2026-11-23T20:16:03Z",
    "last_active_at": "2026-11-23T20:16:09Z",
    "queued_bytes": 0,
    "sent_count": 12,
    "received_count": 1,
}
_PAGE = {"items": [_EXAMPLE], "next_cursor": None}
_USERS = {"audience": {"kind": "users", "ids": ["ada"]}}


@operation("GET", "/connections", scope="connections:read", tag=TAG, summary="List connections", gives=_PAGE, errors=[422])
async def list_connections(
    *,
    hub: GivenHub,
    limit: Limit = 50,
    cursor: After = None,
    user_id: Annotated[str | None, QueryParameter(max_length=128, description="Only this user's")] = None,
    role: Annotated[str | None, QueryParameter(max_length=128, description="Only those of users who have this role")] = None,
    room_id: Annotated[str | None, QueryParameter(max_length=128, description="Only those in this room")] = None,
) -> Response[ConnectionPage]:
    """The open connections, oldest first."""
    found = page(hub.registry.resolve(filtered(user_id, role, room_id)), limit=limit, cursor=cursor)
    return linked(found, limit=limit, user_id=user_id, role=role, room_id=room_id)


@operation(
    "POST",
    "/connections/search",
    scope="connections:read",
    tag=TAG,
    summary="Search connections by audience",
    status=HTTPStatus.OK,
    takes=_USERS,
    gives=_PAGE,
)
async def search_connections(
    data: JSONBody[Search], hub: GivenHub, limit: Limit = 50, cursor: After = None
) -> Response[ConnectionPage]:
    """The open connections of an audience, oldest first: who would hear a broadcast to it."""
    return linked(page(await hub.find(data.audience), limit=limit, cursor=cursor), limit=limit)


@operation(
    "GET",
    "/connections/count",
    scope="connections:read",
    tag=TAG,
    summary="Count connections",
    gives={"connections": 3, "signed_in": 2, "users": 2},
)
async def count_connections(hub: GivenHub) -> ConnectionCount:
    """How many connections and users there are."""
    registry = hub.registry
    return ConnectionCount(len(registry), len(registry.resolve(signed_in)), registry.user_count())


@operation(
    "GET",
    "/connections/{connection_id:str}",
    scope="connections:read",
    tag=TAG,
    summary="One connection",
    gives=_EXAMPLE,
    errors=[404],
)
async def get_connection(connection_id: FromPath[str], hub: GivenHub) -> ConnectionInfo:
    """One open connection."""
    return ConnectionInfo.of(_open(hub, connection_id))


@operation(
    "DELETE",
    "/connections/{connection_id:str}",
    scope="connections:write",
    tag=TAG,
    summary="Close a connection",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def close_connection(connection_id: FromPath[str], hub: GivenHub) -> None:
    """Close it with 4409; its page does not come back by itself."""
    hub.close(_open(hub, connection_id), Close.BACK_OFFICE)


@operation(
    "POST",
    "/connections/close",
    scope="connections:write",
    tag=TAG,
    summary="Close connections by audience",
    status=HTTPStatus.OK,
    takes={**_USERS, "reason": "signed out"},
    gives={"closed": 2},
)
async def close_connections(data: JSONBody[Closing], hub: GivenHub) -> ClosedConnections:
    """Close all connections of an audience with 4409; their pages do not come back by themselves."""
    return await close_all(hub, await hub.find(data.audience), data.reason)


@operation(
    "POST",
    "/connections/{connection_id:str}/updates",
    scope="connections:write",
    tag=TAG,
    summary="Update one page",
    status=HTTPStatus.ACCEPTED,
    takes={"target": "#status", "html": "<p>Your order is ready</p>"},
    gives={"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 1, "queued": 1},
    errors=[404],
)
async def send_update(connection_id: FromPath[str], data: JSONBody[Update], hub: GivenHub, caller: GivenCaller) -> SentUpdate:
    """Swap HTML into the page of one connection."""
    _open(hub, connection_id)
    receipt = await hub.publish(one(connections(connection_id), clean(data, caller)))
    return SentUpdate(receipt.id, receipt.matched, receipt.queued)


def _open(hub: Hub, connection_id: str) -> Connection:
    connection = hub.registry.get(connection_id)
    if connection is None:
        message = "no connection of this id is open"
        raise NotFound(message)
    return connection


routes = [
    list_connections,
    search_connections,
    count_connections,
    get_connection,
    close_connection,
    close_connections,
    send_update,
]
