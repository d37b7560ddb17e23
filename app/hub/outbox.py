"""What waits to be written to one connection: bounded, and a full one answers with a word."""

from enum import Enum
from typing import Protocol

from app.hub.pending import NOTHING, Pending
from app.hub.port import Sink


class Offer(Enum):
    """What became of what was offered. The caller must match."""

    QUEUED = "queued"
    REPLACED = "replaced"
    """Queued, and older messages that it makes invisible were thrown away."""
    CLOSED = "closed"
    """The connection is leaving; it could not have read it."""
    OVERFLOW = "overflow"
    """The peer reads too slowly: not queued. Close the connection."""


class CatchingUp(Protocol):
    """Shows a page what it missed, past the outbox, before the outbox is written."""

    async def until_placed(self) -> None:
        """Return when the page is in no room any more in which it may not be."""

    async def until_live(self) -> None:
        """Return when the page was shown all that it missed, and hears what is published; or when it is closed."""

    def writable(self) -> None:
        """The socket takes more."""

    def say_last(self, payload: bytes) -> None:
        """Write this behind what the page was to be shown next: the connection is about to be closed."""

    def stop(self) -> None:
        """The connection is closed."""


class Outbox:
    """Messages in order for one socket. `Delivery` writes it."""

    __slots__ = ("blocked", "catch_up", "closed", "max_bytes", "pending", "sent_count", "sink", "stuck_bytes")

    def __init__(self, sink: Sink, max_bytes: int) -> None:
        self.sink = sink
        self.max_bytes = max_bytes
        self.pending = NOTHING
        """What was not given to the socket yet."""
        self.blocked = False
        """Whether the socket takes nothing for now, or never again."""
        self.catch_up: CatchingUp | None = None
        """While there is one the outbox is blocked, and holds what is sent past the journal: the rest is read from it."""
        self.closed = False
        self.stuck_bytes = 0
        """Bytes that the socket took and could not pass on when it blocked."""
        self.sent_count = 0
        """Messages that were given to the socket."""

    @property
    def scheduled(self) -> bool:
        """Whether what waits is written at the end of this turn of the loop, or the next ones."""
        return self.pending is not NOTHING and not self.blocked

    @property
    def queued_bytes(self) -> int:
        """Bytes that were not given to the socket yet."""
        return self.pending.size_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for a socket that takes nothing."""
        return self.stuck_bytes + self.pending.size_bytes if self.blocked else 0

    def offer(self, longer: Pending) -> Offer:
        """Let this wait in place of `pending`, of which it was made by `Pending.then`; or say why not.

        The bound holds for a socket that does not take what it is given: what arrives in one turn for a healthy one is written
        at the end of the turn, however much it is.
        """
        if self.closed:
            return Offer.CLOSED
        if self.blocked and longer.size_bytes > self.max_bytes:
            return Offer.OVERFLOW
        is_more = longer.count > self.pending.count
        self.pending = longer
        return Offer.QUEUED if is_more else Offer.REPLACED

    def close(self) -> None:
        """Take nothing more, and forget what waits: nobody will read it. What is stuck in the socket stays until that is gone."""
        self.closed = self.blocked = True
        self.pending = NOTHING
