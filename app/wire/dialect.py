"""A dialect turns updates into the bytes that one kind of client reads."""

from collections.abc import Sequence
from typing import Protocol

from app.wire.update import Update


class Dialect(Protocol):
    """Pure: the same arguments give the same bytes, so one encoding serves every connection of the dialect."""

    name: str
    """Unique; the key of the cache of encoded messages."""
    extended: bool
    """Whether its clients know cursors and sessions, and messages about themselves."""

    def encode_update(self, message_id: str, update: Update, cursor: str) -> bytes:
        """One update as one message. `cursor` is its place in the journal; dialects that know no cursor leave it out."""

    def encode_batch(self, message_id: str, updates: Sequence[Update], cursor: str, ids: Sequence[str] = ()) -> bytes:
        """Several updates as one message, in order. `ids`: what each of them is known by; empty texts, or none: by nothing."""

    def encode_error(self, request_id: str, code: str, detail: str) -> bytes | None:
        """A refusal for programs, or None where the dialect has no word for it."""

    def encode_done(self, request_id: str) -> bytes | None:
        """The answer to a request whose handler says nothing, or None where the dialect has none."""

    def encode_hello(self, connection_id: str, session: str, cursor: str, *, resumed: bool) -> bytes | None:
        """The first message, or None where the dialect has none."""

    def encode_drain(self, retry_in_ms: int) -> bytes | None:
        """That the server stops, and when this page may come back; None where the dialect has no word for it."""

    def encode_gap(self, cursor: str, targets: Sequence[str]) -> bytes | None:
        """That some of what a page missed is gone, or None where the dialect has no word for it."""
