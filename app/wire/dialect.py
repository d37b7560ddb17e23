"""A dialect turns updates into the bytes that one kind of client reads, and reads what that client says."""

from collections.abc import Sequence
from typing import Protocol

from app.wire.inbound import Inbound
from app.wire.update import Update

Payloads = tuple[bytes, ...]
"""One or more messages, in order, that belong together; none: there is nothing to be said."""


class Dialect(Protocol):
    """Pure: the same arguments give the same bytes, so one encoding serves every connection of the dialect."""

    name: str
    """Unique; the key of the cache of encoded messages."""
    extended: bool
    """Whether its clients know cursors and sessions, and messages about themselves."""
    says_active: bool
    """Whether its clients can say that their user is there. Whoever cannot is not idle because of its silence."""

    def read(self, text: str | bytes) -> Inbound:
        """What a page has said. Raises Unreadable, whose text names the field."""

    def encode_update(self, message_id: str, update: Update, cursor: str, /) -> Payloads:
        """One update. `cursor` is its place in the journal; dialects that know no cursor leave it out."""

    def encode_batch(self, message_id: str, updates: Sequence[Update], cursor: str, ids: Sequence[str] = (), /) -> Payloads:
        """Several updates, in order. `ids`: what each of them is known by; empty texts, or none: by nothing."""

    def encode_error(self, request_id: str, code: str, detail: str) -> bytes | None:
        """A refusal for programs, or None where the dialect has no word for it."""

    def encode_done(self, request_id: str) -> bytes | None:
        """The answer to a request whose handler says nothing, or None where the dialect has none."""

    def encode_hello(self, connection_id: str, session: str, cursor: str, max_message_bytes: int, *, resumed: bool) -> bytes | None:
        """The first message, or None where the dialect has none. `max_message_bytes`: of what the page may say."""

    def encode_place(self, cursor: str) -> bytes | None:
        """That the page is new, and hears everything from here on; None where the hello says so, or the page knows no places."""

    def encode_drain(self, retry_in_ms: int) -> bytes | None:
        """That the server stops, and when this page may come back; None where the dialect has no word for it."""

    def encode_gap(self, cursor: str, targets: Sequence[str]) -> bytes | None:
        """That some of what a page missed is gone, or None where the dialect has no word for it."""


class Wordless:
    """What is common to dialects whose clients are told of HTML alone."""

    extended = False
    says_active = False

    def encode_error(self, request_id: str, code: str, detail: str) -> bytes | None:
        """None: people see the HTML."""

    def encode_done(self, request_id: str) -> bytes | None:
        """None: nobody waits for an answer."""

    def encode_hello(self, connection_id: str, session: str, cursor: str, max_message_bytes: int, *, resumed: bool) -> bytes | None:
        """None."""

    def encode_place(self, cursor: str) -> bytes | None:
        """None."""

    def encode_drain(self, retry_in_ms: int) -> bytes | None:
        """None."""

    def encode_gap(self, cursor: str, targets: Sequence[str]) -> bytes | None:
        """None."""
