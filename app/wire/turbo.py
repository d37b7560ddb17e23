"""The Turbo dialect: `<turbo-stream>` elements, for `<turbo-stream-source>`.

Each is a message of its own.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from app.wire import inbound
from app.wire.dialect import Payloads, Wordless
from app.wire.markup import text_as_html, within_template
from app.wire.swap import style_of
from app.wire.update import Fragment, Update, fragments_of

_ACTIONS: Final = {
    "innerHTML": "update",
    "textContent": "update",
    "morph": 'update" method="morph',
    "outerHTML": "replace",
    "beforebegin": "before",
    "afterbegin": "prepend",
    "beforeend": "append",
    "afterend": "after",
    "delete": "remove",
}
"""The attribute `action`, with what belongs to it."""
_ID: Final = re.compile(r"#([A-Za-z_][\w-]*)", re.ASCII)


class Turbo(Wordless):
    """Its clients know no places in the journal, and say nothing by themselves."""

    name = "turbo"

    def read(self, text: str | bytes) -> inbound.Inbound:
        """What a script of the page has said, as on a page of WSX. Raises Unreadable."""
        return inbound.read(text)

    def encode_update(self, message_id: str, update: Update, cursor: str, /) -> Payloads:
        """Each place as one element."""
        return self.encode_batch(message_id, (update,), cursor)

    def encode_batch(self, _message_id: str, updates: Sequence[Update], _cursor: str, _ids: Sequence[str] = (), /) -> Payloads:
        """All places of all updates, in order."""
        places = (part for update in updates for part in fragments_of(update))
        return tuple(_stream(part) for part in places if part.target and style_of(part.swap) in _ACTIONS)


DIALECT: Final = Turbo()


def _stream(part: Fragment) -> bytes:
    found = _ID.fullmatch(part.target)
    place = f'target="{found[1]}"' if found else f'targets="{escape(part.target)}"'
    action = _ACTIONS[style_of(part.swap)]
    html = "" if action == "remove" else f"<template>{within_template(text_as_html(part))}</template>"
    return f'<turbo-stream action="{action}" {place}>{html}</turbo-stream>'.encode()
