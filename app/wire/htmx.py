"""The htmx dialect: HTML whose top elements say by `hx-swap-oob` where they go.

For htmx 2 with its `ws` and `sse` extensions, and for `hx-ws` and `hx-sse` of htmx 4. Each place is a message of its own: htmx 4
looks for all targets of a message before it swaps anything in, and an update may go into what the one before it has brought.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any, Final, NamedTuple, Self
from urllib.parse import unquote

import msgspec

from app.wire.dialect import Payloads, Wordless
from app.wire.inbound import Inbound, Unreadable
from app.wire.markup import sole_root, text_as_html, within_template
from app.wire.swap import style_of
from app.wire.update import Fragment, Update, fragments_of

WRAPPER: Final = "wsx-part"
"""htmx puts in what this holds, and not the element itself."""
HANDLER, TARGET, SWAP = "wx-send", "wx-target", "wx-swap"
"""Fields that say what the attributes of these names say on a page of WSX: `<input type="hidden" name="wx-send" value="like">`."""

_STYLES: Final = {"textContent": "innerHTML", "morph": "innerHTML"}
"""All others are htmx's own words. Text goes as HTML that shows it: htmx knows no text out of band. What morphs is
called otherwise in each version, and must not be asked for where it is not there."""
_FIRST_TAG: Final = re.compile(r"(?>\s+|<!--(?:-?>|.*?--!?>))*+<([a-zA-Z]+)", re.DOTALL)
_AROUND: Final = {
    "tr": "tbody",
    "td": "tr",
    "th": "tr",
    "col": "colgroup",
    **dict.fromkeys(("caption", "colgroup", "tbody", "tfoot", "thead"), "table"),
}
"""Parts of tables are parts only within one; anywhere else a parser drops their tags."""
_NOT_FOR_IDS: Final = re.compile(r"[^\w-]", re.ASCII)
_PLAIN_ID: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_SENT: Final = msgspec.json.Decoder(dict[str, Any])


class Htmx(Wordless):
    """Its clients know no places in the journal, and nothing about themselves."""

    name = "htmx"

    def read(self, text: str | bytes) -> Inbound:
        """A form as htmx sends it. Raises Unreadable.

        Its handler stands in the field `wx-send`; else it is named as the element that sent it, or has that for its id.
        """
        try:
            fields = _SENT.decode(text)
            said = _Headers.of(fields)
            return msgspec.convert(
                {
                    "handler": fields.pop(HANDLER, ""),
                    "trigger": said.name or said.source,
                    "target": fields.pop(TARGET, "") or said.selector,
                    "swap": fields.pop(SWAP, ""),
                    "data": fields,
                },
                Inbound,
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(str(error) or "nested too deeply", Inbound()) from None

    def encode_update(self, message_id: str, update: Update, cursor: str, /) -> Payloads:
        """Each place as one message, or as three where an element is replaced by something that may be none, or several."""
        return self.encode_batch(message_id, (update,), cursor)

    def encode_batch(self, message_id: str, updates: Sequence[Update], _cursor: str, _ids: Sequence[str] = (), /) -> Payloads:
        """All places of all updates, in order."""
        places = [part for update in updates for part in fragments_of(update) if part.target and style_of(part.swap) != "none"]
        mark = _NOT_FOR_IDS.sub("-", message_id)
        return tuple(text.encode() for number, part in enumerate(places) for text in _told(part, f"wsx-{mark}-{number}"))


DIALECT: Final = Htmx()


def _told(part: Fragment, mark: str) -> tuple[str, ...]:
    style = style_of(part.swap)
    if style == "delete":
        return (_oob("delete", part.target, ""),)
    html = within_template(text_as_html(part))  # where htmx puts what it reads
    if style != "outerHTML":
        return (_oob(_STYLES.get(style, style), part.target, html),)
    place = sole_root(html) if "hx-swap-oob" not in html.lower() else None
    if place is not None:
        return (f'{html[:place]} hx-swap-oob="{_said("outerHTML", part.target)}"{html[place:]}'.lstrip(),)
    empty = f'<{WRAPPER} id="{mark}" hx-swap-oob="{_said("outerHTML", part.target)}"></{WRAPPER}>'
    return empty, _oob("afterend", f"#{mark}", html), _oob("delete", f"#{mark}", "")


def _oob(style: str, target: str, html: str) -> str:
    first = _FIRST_TAG.match(html)
    around = _AROUND.get(first[1].lower(), WRAPPER) if first else WRAPPER
    return f'<{around} hx-swap-oob="{_said(style, target)}">{html}</{around}>'


def _said(style: str, target: str) -> str:
    """Behind the colon stands a space: without it htmx 4 would look for the last colon of the selector."""
    return escape(f"{style}: {target}")


class _Headers(NamedTuple):
    """What htmx says of the element that sends."""

    name: str
    """Its name; htmx 4 does not say it."""
    source: str
    """Its id."""
    target: str
    """The id of what `hx-target` names; without that attribute the element's own."""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Take them out of the fields, beside which htmx 2 sends them as `HEADERS` and htmx 4 as `headers`."""
        found = fields.pop("HEADERS", None)
        if not isinstance(found, dict):
            found = fields.pop("headers", None)
        texts = {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
        target = texts.get("HX-Target", "")
        if (source := texts.get("HX-Source")) is not None:  # htmx 4: "form#chat"
            return cls("", unquote(source.partition("#")[2]), unquote(target.partition("#")[2]))
        return cls(texts.get("HX-Trigger-Name", ""), texts.get("HX-Trigger", ""), target)

    @property
    def selector(self) -> str:
        """Where an answer goes that names no target; empty: nowhere. A form is not to disappear behind its answer."""
        if not self.target or self.target == self.source:
            return ""
        if _PLAIN_ID.fullmatch(self.target):
            return f"#{self.target}"
        quoted = self.target.replace("\\", "\\\\").replace('"', '\\"')
        return f'[id="{quoted}"]'
