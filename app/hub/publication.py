"""What goes through the journal: who hears which updates."""

from math import ceil
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from app.hub.audience import Audience
from app.kernel.clock import monotonic
from app.kernel.ids import new_short_id
from app.wire.update import Update


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One update and who hears it."""

    audience: Audience
    update: Update
    key: str = ""
    """What stored thing this shows, where it may be published again: who catches up is shown it once, and pages are told it as the
    id of the message. Empty: nothing such."""


class Leaving(msgspec.Struct, frozen=True, array_like=True):
    """Connections that are put out of a room, on whatever node, once they have heard what is published with it."""

    audience: Audience
    """Settled."""
    room_id: str


class News(msgspec.Struct, frozen=True, array_like=True):
    """What a publication is about, for whoever on a node keeps in mind what is stored, or who was shown it. See `Listeners`."""

    kind: str
    about: bytes = b""
    """In the form that whoever listens to the kind can read."""


class Publication(msgspec.Struct, frozen=True, array_like=True):
    """One or more parts that reach each connection as one message, in the order given."""

    id: str
    parts: tuple[Part, ...]
    is_batch: bool = False
    """Whether pages are told in the form of a batch, even where a page hears only one of the parts."""
    leaving: Leaving | None = None
    news: News | None = None
    ttl_s: int = 0
    """Seconds after which nobody is told of it any more who has not heard it by then. 0: as long as the journal keeps it."""

    def is_over(self, since: float) -> bool:
        """Whether its time is over; `since`: when it began, by this node's clock for time spans."""
        return 0 < self.ttl_s < monotonic() - since

    def after_waiting(self, since: float) -> "Publication":
        """The same with the time that is left, at least a second."""
        return replace(self, ttl_s=max(1, ceil(self.ttl_s - (monotonic() - since)))) if self.ttl_s else self


class Receipt(NamedTuple):
    """What became of a publication on this node."""

    id: str
    matched: int
    """Connections in the audience."""
    queued: int
    """Connections whose outbox took it. The others were leaving, or too far behind and closed."""


def one(audience: Audience, update: Update, key: str = "", *, ttl_s: int = 0) -> Publication:
    """A publication of one update; `key` as in `Part`, `ttl_s` as in `Publication`."""
    return Publication(new_short_id(), (Part(audience, update, key),), ttl_s=ttl_s)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Publication)


def encode(publication: Publication) -> bytes:
    """The form in which it travels in the journal. Raises ValueError when limits are not kept: nobody could read it there."""
    payload = _encoder.encode(publication)
    try:
        _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    return payload


def decode(payload: bytes) -> Publication:
    """The reverse of `encode`."""
    return _decoder.decode(payload)
