"""What a page had, kept for when it comes back: whose it was, its rooms, and the notes of handlers.

The id of a session is that of its connection, that of the node, and a code that only we can make: it cannot be guessed, and a page
whose old socket still seems to be open finds that, too, wherever it is. Only the user whose connection it was at its end gets it
back; anybody else gets a new one.
It is never in two places: whoever comes with a session that was given back takes over from the connection that has it, and that
one is closed.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.geometry import Place
from app.hub.past import NO_PAST, Past
from app.kernel.clock import monotonic
from app.kernel.ids import new_node_id

RESTORED_WITHIN_S = 120.0
"""Seconds after its end in which a connection's rooms and notes come back; also after they were taken over, to its heir."""
MAX_SESSIONS = 100_000
"""Sessions that are kept; the oldest go first. 300 bytes each, where there are neither rooms nor notes."""
MAX_SESSION_BYTES = 16_384
"""Notes of one connection; more are not kept. They are for a name and a number, not for documents."""
MAX_TOTAL_BYTES = 67_108_864
"""Rooms and notes of all that are kept."""
MAX_ID_CHARS = 96
_CODE_BYTES = 16
_CODE_CHARS = 2 * _CODE_BYTES
_NODE_CHARS = 8

_ENDING = frozenset({Close.PROTOCOL, Close.TOKEN_ENDED, Close.NOT_ALLOWED, Close.BACK_OFFICE, Close.TOO_MANY_MESSAGES})
"""Whoever was sent away for one of these has nothing to come back to."""

_log = structlog.get_logger()
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict)


class Kept(NamedTuple):
    """What one connection had."""

    connection_id: str
    user_id: str | None
    """Whose it was at its end; None: nobody's."""
    rooms: Mapping[str, str]
    """Each with the place in the journal from which on it heard it."""
    notes: bytes
    """What was in `connection.session`, as msgpack; empty: nothing."""
    was_placed: bool = False
    """Whether it had said where it is. Where is not kept."""
    past: Past = NO_PAST
    """What it was before."""

    def notes_again(self) -> dict[str, Any]:
        """What was in `connection.session`."""
        notes: dict[str, Any] = _decoder.decode(self.notes)
        return notes


class Origin(NamedTuple):
    """A connection, and the node that has or had it."""

    connection_id: str
    node: str


class Taken(NamedTuple):
    """What a page that is back finds again."""

    kept: Kept
    age_s: float
    """Seconds since its connection ended; 0 for one that was open until now."""
    place: Place | None = None
    """Where it is, as an open connection hands it on."""


class Sessions(Protocol):
    """Keeps what ended connections had, for a while. Each is taken once, whichever node asks."""

    def keep(self, kept: Kept) -> None:
        """Keep it. Does not wait, and does not fail: it may be lost, and its page is told so when it comes back."""

    def pass_on(self, connection_id: str, heir: Origin) -> None:
        """Note for all nodes that a connection has taken over from this one. Does not wait, and may be lost, too."""

    async def take(self, origin: Origin, user_id: str | None) -> Taken | Origin | None:
        """Take it out, if it is this user's; None: it is somebody else's.

        What is not kept may be open still: the answer then is the last that took over from it, as far as known, or itself.
        Raises whatever says that the store is away.
        """


class MemorySessions:
    """The sessions of one process. They end with it. Old ones are looked for when another one comes: no timers."""

    def __init__(self, keep_s: float, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[Kept, float]] = OrderedDict()
        self._bytes = 0

    def keep(self, kept: Kept) -> None:
        """Keep it; the oldest go when there are too many."""
        now = monotonic()
        self._kept[kept.connection_id] = kept, now
        self._bytes += weight(kept)
        while self._kept:
            oldest, since = next(iter(self._kept.values()))
            if now - since <= self._keep_s and len(self._kept) <= MAX_SESSIONS and self._bytes <= self._max_bytes:
                break
            self._remove(oldest)

    def pass_on(self, connection_id: str, heir: Origin) -> None:
        """Whoever recognises pages knows it already: there is no other node."""

    async def take(self, origin: Origin, user_id: str | None) -> Taken | Origin | None:
        """Take it out."""
        kept, since = self._kept.get(origin.connection_id, (None, 0.0))
        if kept is None:
            return origin
        if kept.user_id != user_id:
            return None
        self._remove(kept)
        age_s = monotonic() - since
        return Taken(kept, age_s) if age_s <= self._keep_s else origin

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def _remove(self, kept: Kept) -> None:
        del self._kept[kept.connection_id]
        self._bytes -= weight(kept)


class SessionIds:
    """Makes ids of sessions, and reads those of all nodes with the same key. Nothing is stored for a connection that is open."""

    def __init__(self, node: str | None = None, key: bytes | None = None) -> None:
        """`node`: the id of this one, 8 characters. `key`: 16 to 64 bytes; without one, nobody else can read them."""
        self.node = node or new_node_id()
        self._key = key or os.urandom(32)

    def of(self, connection_id: str) -> str:
        """The session of a connection of this node: 1 µs."""
        return self._coded(connection_id + self.node)

    def read(self, session: str) -> Origin | None:
        """Its connection; None: none of us has made it."""
        said = session[:-_CODE_CHARS]
        if len(session) > MAX_ID_CHARS or not compare_digest(self._coded(said).encode(), session.encode()):
            return None
        return Origin(said[:-_NODE_CHARS], said[-_NODE_CHARS:])

    def _coded(self, said: str) -> str:
        return said + blake2b(said.encode(), key=self._key, digest_size=_CODE_BYTES).hexdigest()


def what_is_left(connection: Connection) -> Kept | None:
    """What a connection has that its page may come back to; None: nothing, for it knows no sessions or was sent away.

    Notes that cannot be written down, or are too long, are left out, and that is logged.
    """
    if not connection.dialect.extended or connection.closed_as in _ENDING:
        return None
    user_id = connection.user.id if connection.user is not None else None
    notes = b""
    if connection.has_notes:
        try:
            notes = _encoder.encode(connection.session)
            _decoder.decode(notes)  # not all that can be written can be read
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            notes = b""
            _log.warning("session data cannot be kept", connection=connection.id, error=str(error))
        if len(notes) > MAX_SESSION_BYTES:
            _log.warning("session data is too long to be kept", connection=connection.id, bytes=len(notes))
            notes = b""
    return Kept(connection.id, user_id, dict(connection.rooms_since), notes, connection.place is not None, connection.past)


def weight(kept: Kept) -> int:
    """Bytes of what one connection had, about."""
    return len(kept.notes) + sum(100 + len(room_id) for room_id in kept.rooms) + 200 * len(kept.past.ids)
