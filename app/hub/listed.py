"""Connections as the back office sees them. A node tells another of its own in this form."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from app.hub.connection import Connection


class ConnectionInfo(msgspec.Struct, kw_only=True):
    """One open socket."""

    id: str
    node: Annotated[str, Meta(description="The server process that holds it", examples=["5f0c9a1e"])]
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
    def of(cls, connection: Connection, node: str) -> Self:
        """As it is now."""
        user = connection.user
        return cls(
            id=connection.id,
            node=node,
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
