"""REST: live connections."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta

from app.auth.keys import Caller
from app.db.page import decode_cursor
from app.features.closing import ClosedConnections, Reasoned
from app.features.connections.view import ConnectionPage, filtered, page
from app.features.content import Content, made
from app.features.dry_run import DryRun, dry_run
from app.features.left_out import LeftOuts, left_out
from app.features.listing import After, Incomplete, Limit, linked
from app.features.services import GivenServices, Services
from app.hub.audience import Audience, connections, everyone
from app.hub.listed import ConnectionInfo
from app.hub.publication import one
from app.kernel.text import NO_NUL
from app.web.given import GivenCaller
from app.web.operation import operation

TAG = "Connections"

ConnectionId = Annotated[str, PathParameter(min_length=1, max_length=128, pattern=NO_NUL)]


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
    incomplete: Incomplete


class SentUpdate(msgspec.Struct):
    """An update on its way to one connection."""

    id: str
    matched: Annotated[int, Meta(description="1; 0: it has gone in this moment")]
    queued: Annotated[int, Meta(description="1; 0: it is leaving or far behind, or its node does not say so in time")]
    left_out: LeftOuts = UNSET


_EXAMPLE = {
    "id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7",
    "node": "5f0c9a1e",
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
_PAGE = {"items": [_EXAMPLE], "next_cursor": None, "incomplete": []}
_USERS = {"audience": {"kind": "users", "ids": ["ada"]}}


@operation("GET", "/connections", scope="connections:read", tag=TAG, summary="List connections", gives=_PAGE, errors=[422])
async def list_connections(
    *,
    services: GivenServices,
    limit: Limit = 50,
    cursor: After = None,
    user_id: Annotated[
        str | None, QueryParameter(min_length=1, max_length=128, pattern=NO_NUL, description="Only this user's")
    ] = None,
    role: Annotated[
        str | None,
        QueryParameter(min_length=1, max_length=128, pattern=NO_NUL, description="Only those of users who have this role"),
    ] = None,
    room_id: Annotated[
        str | None, QueryParameter(min_length=1, max_length=128, pattern=NO_NUL, description="Only those in this room")
    ] = None,
    node: Annotated[str | None, QueryParameter(max_length=64, description="Only those of this node")] = None,
) -> Response[ConnectionPage]:
    """The open connections of all nodes, oldest first."""
    after = _after(cursor)
    found = await services.everywhere.connections(filtered(user_id, role, room_id), after=after, limit=limit, node=node)
    return linked(page(found), limit=limit, user_id=user_id, role=role, room_id=room_id, node=node)


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
    data: JSONBody[Search], services: GivenServices, limit: Limit = 50, cursor: After = None
) -> Response[ConnectionPage]:
    """The open connections of an audience, oldest first: who would hear a broadcast to it."""
    return linked(page(await services.everywhere.connections(data.audience, after=_after(cursor), limit=limit)), limit=limit)


@operation(
    "GET",
    "/connections/count",
    scope="connections:read",
    tag=TAG,
    summary="Count connections",
    gives={"connections": 3, "signed_in": 2, "users": 2, "incomplete": []},
)
async def count_connections(services: GivenServices) -> ConnectionCount:
    """How many connections and users there are, on all nodes; who has pages on several counts as one user."""
    counted = await services.everywhere.count(everyone)
    return ConnectionCount(counted.connections, counted.signed_in, counted.users, list(counted.missing))


@operation(
    "GET",
    "/connections/{connection_id:str}",
    scope="connections:read",
    tag=TAG,
    summary="One connection",
    gives=_EXAMPLE,
    errors=[404],
)
async def get_connection(connection_id: ConnectionId, services: GivenServices) -> ConnectionInfo:
    """One open connection. 503 where a node that may have it does not answer."""
    return await services.everywhere.connection(connection_id)


@operation(
    "DELETE",
    "/connections/{connection_id:str}",
    scope="connections:write",
    tag=TAG,
    summary="Close a connection",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def close_connection(connection_id: ConnectionId, services: GivenServices) -> None:
    """Close it with 4409; its page does not come back by itself. 503 where a node that may have it does not answer."""
    await services.everywhere.close_one(connection_id)


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
async def close_connections(data: JSONBody[Closing], services: GivenServices) -> ClosedConnections:
    """Close all connections of an audience, on all nodes, with 4409; their pages do not come back by themselves.

    503 where a node does not answer: then those of the others are closed, and its own may be. Ask again: it does no harm.
    """
    return ClosedConnections(await services.everywhere.close(data.audience, data.reason))


async def try_update(connection_id: str, data: Content, services: Services, caller: Caller) -> DryRun:
    """What `send_update` would do."""
    update = made(data, caller)
    await services.everywhere.connection(connection_id)
    return await dry_run(services, caller, connections(connection_id), update)


@operation(
    "POST",
    "/connections/{connection_id:str}/updates",
    dry_run=try_update,
    scope="connections:write",
    tag=TAG,
    summary="Update one page",
    status=HTTPStatus.ACCEPTED,
    takes={"target": "#status", "html": "<p>Your order is ready</p>"},
    gives={"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 1, "queued": 1},
    errors=[404],
)
async def send_update(
    connection_id: ConnectionId, data: JSONBody[Content], services: GivenServices, caller: GivenCaller
) -> SentUpdate:
    """Swap HTML into the page of one connection. 503 where a node that may have it does not answer: then nothing was sent."""
    update = made(data, caller)
    there = await services.everywhere.connection(connection_id)
    receipt = await services.hub.publish(one(connections(connection_id), update))
    told = await services.everywhere.receipt_of(receipt.id, there.node)
    left = left_out([update], there.dialect)
    return SentUpdate(receipt.id, 1, 0, left) if told is None else SentUpdate(receipt.id, told.matched, told.queued, left)


def _after(cursor: str | None) -> str:
    return "" if cursor is None else decode_cursor(cursor)


routes = [
    list_connections,
    search_connections,
    count_connections,
    get_connection,
    close_connection,
    close_connections,
    send_update,
]
