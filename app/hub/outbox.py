"""What waits to be written to one connection: bounded, and a full one answers with a word."""

from enum import Enum

from app.hub.port import Sink
from app.wire.prepared import Prepared


class Offer(Enum):
    """What became of a message that was offered. The caller must match."""

    QUEUED = "queued"
    REPLACED = "replaced"
    """Queued, and older messages that it makes invisible were thrown away."""
    CLOSED = "closed"
    """The connection is leaving; it could not have read it."""
    OVERFLOW = "overflow"
    """The peer reads too slowly: not queued. Close the connection."""


class Outbox:
    """Messages in order for one socket. `Delivery` writes it; `blocked` says that the socket takes no more for now."""

    __slots__ = ("blocked", "closed", "max_bytes", "queue", "queued_bytes", "scheduled", "sink")

    def __init__(self, sink: Sink, max_bytes: int) -> None:
        self.sink = sink
        self.max_bytes = max_bytes
        self.queue: list[Prepared] = []
        self.queued_bytes = 0
        self.blocked = False
        self.closed = False
        self.scheduled = False
        """Whether a flush of this outbox is coming in this turn of the loop."""

    def offer(self, message: Prepared) -> Offer:
        """Queue the message, or say why not.

        The bound holds for a socket that does not take what it is given: what arrives in one turn for a healthy one is written
        at the end of the turn, however much it is.
        """
        if self.closed:
            return Offer.CLOSED
        replaced = message.replaces is not None and bool(self.queue) and self._drop_content_of(message.replaces)
        size = len(message.data)
        if self.blocked and self.queued_bytes + size > self.max_bytes:
            return Offer.OVERFLOW
        self.queue.append(message)
        self.queued_bytes += size
        return Offer.REPLACED if replaced else Offer.QUEUED

    def close(self) -> None:
        """Take nothing more, and forget what waits: nobody will read it."""
        self.closed = True
        self.queue = []
        self.queued_bytes = 0

    def _drop_content_of(self, target: str) -> bool:
        kept = [waiting for waiting in self.queue if waiting.content_of != target]
        if len(kept) == len(self.queue):
            return False
        self.queue = kept
        self.queued_bytes = sum(map(len, kept))
        return True
