"""What a browser says: one JSON text, read tolerantly. Unknown fields are ignored, wrong ones are refused by name."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_Short = Annotated[str, Meta(max_length=256)]


class Inbound(msgspec.Struct, frozen=True):
    """A request of a page, as `wx-send` makes it."""

    id: Annotated[
        str,
        Meta(max_length=128, description="The page's own id of the request; the answer carries it", examples=["req_1"]),
    ] = ""
    handler: Annotated[_Short, Meta(description="Name of the handler; empty: the one named by `trigger`, then the catch-all")] = ""
    target: Annotated[_Short, Meta(description="CSS selector for the answer")] = ""
    trigger: Annotated[_Short, Meta(description="The DOM event")] = ""
    data: Annotated[dict[str, Any], Meta(description="Form fields and `wx-data`")] = {}
    swap: Annotated[_Short, Meta(description="How the page wants the answer swapped in")] = ""
    type: Literal["", "active"] = ""


class Unreadable(ValueError):
    """The text is not a request. `id` is the request's, where that much could be read."""

    def __init__(self, detail: str, request_id: str) -> None:
        super().__init__(detail)
        self.request_id = request_id


_inbound = msgspec.json.Decoder(Inbound)
_some_id = re.compile(r'"id"\s*:\s*"([^"\\]{1,128})"')


def read(text: str | bytes) -> Inbound:
    """Decode one message. Raises Unreadable, whose text names the field."""
    try:
        return _inbound.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(str(error) or "nested too deeply", _id_of(text)) from None


def _id_of(text: str | bytes) -> str:
    """The first text that looks like the id, also where the whole is no JSON: a page waits for an answer under it."""
    found = _some_id.search(text) if isinstance(text, str) else None
    return found[1] if found else ""
