"""Hanging up on purpose: what may be said as the reason, and what the back office is answered."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.kernel.errors import WrongField

MAX_REASON_BYTES = 123
"""What fits into a close frame beside the code (RFC 6455, 5.5)."""

AT_ONCE = 200
"""Connections that are closed before other work has its turn: 4 ms."""


class Reasoned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why connections are closed."""

    reason: Annotated[str, Meta(description=f"At most {MAX_REASON_BYTES} bytes; the page is told")] = Close.BACK_OFFICE.reason

    def __post_init__(self) -> None:
        """Refuse a reason that fits into no close frame."""
        if len(self.reason.encode()) > MAX_REASON_BYTES:
            raise WrongField("reason", f"at most {MAX_REASON_BYTES} bytes fit into a close frame")


class ClosedConnections(msgspec.Struct):
    """How many connections were closed."""

    closed: int


async def close_all(hub: Hub, found: Iterable[Connection], reason: str) -> ClosedConnections:
    """Close these connections with 4409; their pages do not come back by themselves. Those that leave meanwhile are not counted."""
    closed = 0
    for number, connection in enumerate(tuple(found), 1):  # a copy: closing changes the registry's sets
        closed += not connection.outbox.closed
        hub.close(connection, Close.BACK_OFFICE, reason)
        if not number % AT_ONCE:
            await asyncio.sleep(0)
    return ClosedConnections(closed)
