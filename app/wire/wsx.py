"""The WSX dialect: JSON texts `{id, target, html, swap, oob}`.

Two forms: clients that offered the subprotocol `wsx.v1` also get the cursor and the messages that have a `type` other than
`batch`; all others get just what the WSX protocol always had.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.wire import inbound
from app.wire.dialect import Payloads
from app.wire.update import Fragment, Update, fragments_of

SUBPROTOCOL: Final = "wsx.v1"

_Cursor = Annotated[str, Meta(description="Place in the journal, opaque, increasing; only with the subprotocol wsx.v1")]


class UpdateMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer (its `id` is the request's) or a broadcast."""

    id: str
    target: str
    html: str
    swap: str
    oob: tuple[Fragment, ...] = ()
    cursor: _Cursor | UnsetType = UNSET


class BatchItem(msgspec.Struct, frozen=True):
    """One update of a batch, or one of its further fragments, which have the same id."""

    target: str
    html: str
    swap: str
    id: Annotated[
        str | UnsetType, Meta(description="What it is known by, where it may come again; only with the subprotocol wsx.v1")
    ] = UNSET


class BatchMessage(msgspec.Struct, frozen=True, tag_field="type", tag="batch"):
    """Several updates for one page, in the order given."""

    updates: list[BatchItem]
    cursor: _Cursor | UnsetType = UNSET


class HelloMessage(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """The first message to a client of `wsx.v1`."""

    connection: Annotated[str, Meta(description="The connection's id")]
    session: Annotated[str, Meta(description="What to come back with, as `?session=`, for rooms and session data")]
    cursor: _Cursor
    resumed: Annotated[bool, Meta(description="Whether all that was missed since `cursor` follows")]
    max_message_bytes: Annotated[int, Meta(description="Of one message from the page; a larger one ends the connection (1009)")]


class GapMessage(msgspec.Struct, frozen=True, tag_field="type", tag="gap"):
    """Some of what a client of `wsx.v1` missed is gone, so none of it follows."""

    cursor: _Cursor
    targets: Annotated[Sequence[str], Meta(description="All targets that were touched meanwhile; none: it may have been any")]


class DrainMessage(msgspec.Struct, frozen=True, tag_field="type", tag="drain"):
    """The server restarts: a close with 1012 follows."""

    retry_in_ms: Annotated[int, Meta(description="Milliseconds after which to come back: each client has its own slot")]


class ErrorMessage(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A refusal for programs, beside the HTML that people see."""

    id: str
    code: Annotated[
        str, Meta(description="bad_message, no_handler, handler_failed, rate_limited, or a handler's own, such as not_signed_in")
    ]
    detail: str


_encode = msgspec.json.Encoder().encode


class Wsx:
    """One form of the dialect."""

    says_active = True

    def __init__(self, name: str, *, extended: bool, batch_as_oob: bool) -> None:
        self.name = name
        self.extended = extended
        self.batch_as_oob = batch_as_oob
        """Whether a batch is told as one update whose further fragments are its `oob`, for clients that know no batch."""

    def read(self, text: str | bytes) -> inbound.Inbound:
        """What a page has said. Raises Unreadable."""
        return inbound.read(text)

    def encode_update(self, message_id: str, update: Update, cursor: str) -> Payloads:
        """One update as one message."""
        shown = cursor if self.extended and cursor else UNSET
        return (_encode(UpdateMessage(message_id, update.target, update.html, update.swap, update.oob, shown)),)

    def encode_batch(self, message_id: str, updates: Sequence[Update], cursor: str, ids: Sequence[str] = ()) -> Payloads:
        """All fragments of all updates, in order, as one message. `ids`: of the updates, for clients that know cursors."""
        if self.batch_as_oob:
            first, *rest = updates
            oob = (*first.oob, *(part for update in rest for part in fragments_of(update)))
            return self.encode_update(message_id, Update(first.target, first.html, first.swap, oob), cursor)
        known = ids if self.extended and ids else [""] * len(updates)
        items = [
            BatchItem(part.target, part.html, part.swap, update_id or UNSET)
            for update, update_id in zip(updates, known, strict=True)
            for part in fragments_of(update)
        ]
        return (_encode(BatchMessage(items, cursor if self.extended and cursor else UNSET)),)

    def encode_error(self, request_id: str, code: str, detail: str) -> bytes | None:
        """A refusal for programs; None where the client knows no such message."""
        return _encode(ErrorMessage(request_id, code, detail)) if self.extended else None

    def encode_done(self, request_id: str) -> bytes | None:
        """An answer without a target, which changes nothing; None where the client would look for that target."""
        return _encode(UpdateMessage(request_id, "", "", "none")) if self.extended else None

    def encode_hello(self, connection_id: str, session: str, cursor: str, max_message_bytes: int, *, resumed: bool) -> bytes | None:
        """The first message; None where the client knows no such message."""
        return _encode(HelloMessage(connection_id, session, cursor, resumed, max_message_bytes)) if self.extended else None

    def encode_place(self, cursor: str) -> bytes | None:
        """None: the hello says it."""

    def encode_drain(self, retry_in_ms: int) -> bytes | None:
        """When to come back to a server that restarts; None where the client knows no such message."""
        return _encode(DrainMessage(retry_in_ms)) if self.extended else None

    def encode_gap(self, cursor: str, targets: Sequence[str]) -> bytes | None:
        """That what was missed is gone; None where the client knows no such message."""
        return _encode(GapMessage(cursor, targets)) if self.extended else None


_FORMS: Final = {
    (extended, batch_as_oob): Wsx(
        (SUBPROTOCOL if extended else "wsx") + ("+oob" if batch_as_oob else ""),
        extended=extended,
        batch_as_oob=batch_as_oob,
    )
    for extended in (False, True)
    for batch_as_oob in (False, True)
}


def dialect(*, extended: bool, batch_as_oob: bool = False) -> Wsx:
    """The form of the dialect that a client asked for."""
    return _FORMS[extended, batch_as_oob]
