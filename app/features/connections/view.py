"""Connections as the REST interface shows them."""

from collections.abc import Iterable
from datetime import datetime
from heapq import nsmallest
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from app.db.page import decode_cursor, encode_cursor
from app.features.listing import Page
from app.hub.audience import AllOf, Audience, everyone, roles, rooms, users
from app.hub.connection import Connection


class ConnectionInfo(msgspec.Struct, kw_only=True):
    """One open socket."""

    id: str
    user_id: Annotated[str | None, Meta(description="null: nobody signed in")]
    user_name: str | None
    roles: list[str]
    rooms: Annotated[list[str], Meta(description="Rooms that the page is in, the one joined last at the end")]
    dialect: Annotated[str, Meta(description="What its client speaks", examples=["wsx.v1"])]
    address: Annotated[str, Meta(description="Address of the client")]
    user_agent: str
    connected_at: datetime
    last_active_at: Annotated[datetime, Meta(description="When the page last sent something")]
    queued_bytes: Annotated[int, Meta(description="Bytes that the client has not taken yet")]
    sent_count: Annotated[int, Meta(description="Messages to the page")]
    received_count: Annotated[int, Meta(description="Messages from the page")]

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """As it is now."""
        user = connection.user
        return cls(
            id=connection.id,
            user_id=user.id if user else None,
            user_name=user.name if user else None,
            roles=sorted(user.roles) if user else [],
            rooms=list(connection.rooms),
            dialect=connection.dialect.name,
            address=connection.address,
            user_agent=connection.user_agent,
            connected_at=connection.connected_at,
            last_active_at=connection.last_active_at,
            queued_bytes=connection.outbox.queued_bytes + connection.outbox.sink.buffered_bytes(),
            sent_count=connection.sent_count,
            received_count=connection.received_count,
        )


class ConnectionPage(Page[ConnectionInfo]):
    """One page of connections."""


def filtered(user_id: str | None, role: str | None, room_id: str | None) -> Audience:
    """The audience that the filters of a list mean."""
    wanted: list[Audience] = [users(user_id)] if user_id is not None else []
    if role is not None:
        wanted.append(roles(role))
    if room_id is not None:
        wanted.append(rooms(room_id))
    return AllOf(tuple(wanted)) if wanted else everyone


def page(connections: Iterable[Connection], *, limit: int, cursor: str | None) -> ConnectionPage:
    """One page of these connections, oldest first: new ones come at the end, so that no page shifts."""
    after = decode_cursor(cursor) if cursor is not None else ""
    later = (connection for connection in connections if connection.id > after)
    found = nsmallest(limit + 1, later, key=lambda connection: connection.id)
    next_cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return ConnectionPage([ConnectionInfo.of(connection) for connection in found[:limit]], next_cursor)
