"""Hanging up on purpose: what may be said as the reason, and what the back office is answered."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.hub.close import Close
from app.kernel.errors import WrongField

MAX_REASON_BYTES = 123
"""What fits into a close frame beside the code (RFC 6455, 5.5)."""


class Reasoned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why connections are closed."""

    reason: Annotated[str, Meta(description=f"At most {MAX_REASON_BYTES} bytes; the page is told")] = Close.BACK_OFFICE.reason

    def __post_init__(self) -> None:
        """Refuse a reason that fits into no close frame."""
        if len(self.reason.encode()) > MAX_REASON_BYTES:
            raise WrongField("reason", f"at most {MAX_REASON_BYTES} bytes fit into a close frame")


class ClosedConnections(msgspec.Struct):
    """How many connections were closed, on all nodes."""

    closed: int
