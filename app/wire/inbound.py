"""What a browser says: one JSON text, read tolerantly. Unknown fields are ignored, wrong ones are refused by name."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_Short = Annotated[str, Meta(max_length=256)]
_MAX_ID_CHARS = 128


class Inbound(msgspec.Struct, frozen=True):
    """A request of a page, as `wx-send` makes it."""

    id: Annotated[
        str,
        Meta(max_length=_MAX_ID_CHARS, description="The page's own id of the request; the answer carries it", examples=["req_1"]),
    ] = ""
    handler: Annotated[_Short, Meta(description="Name of the handler; empty: the one named by `trigger`, then the catch-all")] = ""
    target: Annotated[_Short, Meta(description="CSS selector for the answer")] = ""
    trigger: Annotated[_Short, Meta(description="The DOM event")] = ""
    data: Annotated[dict[str, Any], Meta(description="Form fields and `wx-data`")] = {}
    swap: Annotated[_Short, Meta(description="How the page wants the answer swapped in")] = ""
    type: Annotated[
        Literal["", "active"], Meta(description="`active`: somebody is there. Answered at once, as by a handler that says nothing")
    ] = ""


class _Address(msgspec.Struct, frozen=True):
    """Where an answer goes."""

    id: Annotated[str, Meta(max_length=_MAX_ID_CHARS)] = ""
    target: _Short = ""
    swap: _Short = ""


class Unreadable(ValueError):
    """The text is not a request. `request`: as much of it as could be read, so that it can be answered."""

    def __init__(self, detail: str, request: Inbound) -> None:
        super().__init__(detail)
        self.request = request


_inbound = msgspec.json.Decoder(Inbound)
_address = msgspec.json.Decoder(_Address)
_NO_REQUEST = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoders raise: texts in binary messages may not be UTF-8, and none is checked that nobody asked for."""
_some_id = re.compile(rf'"id"\s*:\s*"([^"\\]{{1,{_MAX_ID_CHARS}}})"')


def read(text: str | bytes) -> Inbound:
    """Decode one message. Raises Unreadable, whose text names the field."""
    try:
        return _inbound.decode(text)
    except _NO_REQUEST as error:
        raise Unreadable(str(error) or "nested too deeply", _readable_part_of(text)) from None


def _readable_part_of(text: str | bytes) -> Inbound:
    """Where an answer goes; of a text that is no JSON what looks like the id: a page waits for an answer under it."""
    try:
        address = _address.decode(text)
    except _NO_REQUEST:
        found = _some_id.search(text) if isinstance(text, str) else None
        return Inbound(id=found[1] if found else "")
    return Inbound(id=address.id, target=address.target, swap=address.swap)
