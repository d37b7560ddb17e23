"""A dialect as server-sent events (HTML, 9.2), for whoever has no WebSockets.

An `EventSource` comes back by itself, and says where it was: the `id` of an event is its place in the journal. What is published at
once may be several events. All but the last have an id of their own, by which whoever is cut off among them is shown the rest, and
nothing twice. Updates are events without a name, which `onmessage`, htmx and Turbo look at. What is said of the connection has one.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from app.wire import htmx, inbound, turbo, wsx
from app.wire.dialect import Dialect, Payloads
from app.wire.update import Update

HEARTBEAT: Final = b":\n\n"
"""A comment: nobody sees it, and who is gone is found by it."""

_WITHIN: Final = "~"
"""Stands in ids of events behind which others have the same place; never in a place in the journal."""
_LINES: Final = re.compile(rb"\r\n|\r|\n")
_SIGNALS: Final = wsx.dialect(extended=True)
"""What is said about a connection is said alike in all dialects."""


def event(payload: bytes, name: str = "", *, cursor: str = "", retry_ms: int | None = None) -> bytes:
    """One event. `cursor`: where the page is once it has it. `retry_ms`: after which it comes back from now on."""
    head = f"event: {name}\n" if name else ""
    head += f"id: {cursor}\n" if cursor else ""
    head += f"retry: {retry_ms}\n" if retry_ms is not None else ""
    return head.encode() + b"".join(b"data: " + line + b"\n" for line in _LINES.split(payload)) + b"\n"


def split_id(last_id: str) -> tuple[str, str]:
    """The place in the journal of the last event that a page has; and its id, if others follow that have the same place."""
    place, within, _ = last_id.partition(_WITHIN)
    return place, last_id if within else ""


def behind(payloads: Payloads, last_id: str) -> Payloads | None:
    """Of the events of one publication those behind the one of this id; None: it is none of them."""
    head = f"id: {last_id}\n".encode()
    return next((payloads[number:] for number, payload in enumerate(payloads, 1) if payload.startswith(head)), None)


class Events:
    """The events of a dialect."""

    extended = True
    says_active = False

    def __init__(self, name: str, inner: Dialect) -> None:
        self.name = name
        self._inner = inner

    def read(self, text: str | bytes) -> inbound.Inbound:
        """As the dialect itself; a stream of events is never spoken to."""
        return self._inner.read(text)

    def encode_update(self, message_id: str, update: Update, cursor: str, /) -> Payloads:
        """One update as one event, or several."""
        return _events(self._inner.encode_update(message_id, update, cursor), cursor)

    def encode_batch(self, message_id: str, updates: Sequence[Update], cursor: str, ids: Sequence[str] = (), /) -> Payloads:
        """Several updates, in order."""
        return _events(self._inner.encode_batch(message_id, updates, cursor, ids), cursor)

    def encode_error(self, request_id: str, code: str, detail: str) -> bytes | None:
        """None: nobody has asked."""

    def encode_done(self, request_id: str) -> bytes | None:
        """None: as above."""

    def encode_hello(self, connection_id: str, session: str, cursor: str, max_message_bytes: int, *, resumed: bool) -> bytes | None:
        """Who it is. It does not move the page: what it missed may follow."""
        return _signal("hello", _SIGNALS.encode_hello(connection_id, session, cursor, max_message_bytes, resumed=resumed))

    def encode_place(self, cursor: str) -> bytes | None:
        """Its place, which nobody sees."""
        return f"id: {cursor}\n\n".encode()

    def encode_drain(self, retry_in_ms: int) -> bytes | None:
        """Its slot, which an `EventSource` keeps by itself."""
        return _signal("drain", _SIGNALS.encode_drain(retry_in_ms), retry_ms=retry_in_ms)

    def encode_gap(self, cursor: str, targets: Sequence[str]) -> bytes | None:
        """What was missed and is gone; from here on the page hears everything."""
        return _signal("gap", _SIGNALS.encode_gap(cursor, targets), cursor=cursor)


STREAMS: Final = {
    "wsx": Events("sse", wsx.dialect(extended=True)),
    "htmx": Events("sse+htmx", htmx.DIALECT),
    "turbo": Events("sse+turbo", turbo.DIALECT),
}
"""By the name that a page asks for."""


def _events(payloads: Payloads, cursor: str) -> Payloads:
    """The last has the place for its id. The ids of those before say how much a page has: how many, and a checksum of these."""
    if not payloads:
        return (f"id: {cursor}\n\n".encode(),) if cursor else ()
    *before, last = payloads
    told, checksum = [], 0
    for count, payload in enumerate(before, 1):
        checksum = zlib.crc32(payload, checksum)
        told.append(event(payload, cursor=f"{cursor}{_WITHIN}{count}{_WITHIN}{checksum:08x}" if cursor else ""))
    return *told, event(last, cursor=cursor)


def _signal(name: str, payload: bytes | None, *, cursor: str = "", retry_ms: int | None = None) -> bytes | None:
    return None if payload is None else event(payload, name, cursor=cursor, retry_ms=retry_ms)
