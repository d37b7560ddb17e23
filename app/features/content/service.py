"""Use case: what a caller gave becomes an update that this caller may send."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from app.auth.keys import Caller
from app.auth.scopes import HTML_RAW, allows
from app.auth.targets import check_target, may_write, trimmed
from app.features.content.cleaning import cleaned
from app.features.content.model import Content, Piece
from app.features.content.offered import CannotRender, offered
from app.kernel.errors import FieldError, InvalidFields
from app.wire.update import Fragment, Update

MAX_CONTEXT_BYTES: Final = 32_768
"""Bytes of one `context`, as JSON."""
MAX_CALL_BYTES: Final = 262_144
"""Bytes of all HTML of one call, as pages get it: a small call must not become a large one by its templates."""

_encode = msgspec.json.Encoder().encode


def made(given: Content, caller: Caller) -> Update:
    """The update of a call that gives one. Raises what `Making.update` raises."""
    return Making(caller).update(given)


class Making:
    """The updates of one call, all of them within its bounds."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._is_raw = allows(caller.scopes, HTML_RAW)
        self._left_bytes = MAX_CALL_BYTES

    def update(self, given: Content, at: str = "") -> Update:
        """What is given at this place of the body, as the caller may send it: templates filled in, HTML cleaned.

        Raises Forbidden for a target that the key may not write to, InvalidFields.
        """
        html = self._html(given, at)
        oob = tuple([Fragment(one.target, self._html(one, f"{at}/oob/{n}"), one.swap) for n, one in enumerate(given.oob)])
        return Update(given.target, html, given.swap, oob)

    def _html(self, piece: Piece, at: str) -> str:
        if self._caller.targets is not None:
            check_target(self._caller.targets, piece.target)
        html = self._as_sent(piece, at)
        self._left_bytes -= len(html.encode())
        if self._left_bytes < 0:
            detail = f"with it the HTML of this call is more than {MAX_CALL_BYTES} bytes; send it in several calls"
            raise InvalidFields([FieldError(f"{at}/{'html' if piece.template is UNSET else 'template'}", detail)])
        return html

    def _as_sent(self, piece: Piece, at: str) -> str:
        if piece.template is not UNSET:
            return _rendered(piece.template, piece.context, at)
        if piece.html is UNSET:
            return ""
        if self._is_raw:
            return piece.html
        targets = self._caller.targets
        return cleaned(
            piece.html, target=trimmed(piece.target), swap=piece.swap, may_write=lambda target: may_write(targets, target)
        )


def _rendered(name: str, given: dict[str, Any] | UnsetType, at: str) -> str:
    template = offered.find(name)
    if template is None:
        there_are = ", ".join(one.name for one in offered)
        raise InvalidFields([FieldError(f"{at}/template", f"no such template; there are {there_are}")])
    context = {} if given is UNSET else given
    known = template.required | template.optional
    wrong = [FieldError(f"{at}/context/{field}", "missing") for field in sorted(template.required - context.keys())]
    there_are = ", ".join(sorted(known)) or "none"
    wrong += [
        FieldError(f"{at}/context/{_pointed(field)}", f"this template has no such field; there are {there_are}")
        for field in sorted(context.keys() - known)
    ]
    if not wrong and len(_encode(context)) > MAX_CONTEXT_BYTES:
        wrong = [FieldError(f"{at}/context", f"a context has at most {MAX_CONTEXT_BYTES} bytes as JSON")]
    if wrong:
        raise InvalidFields(wrong)
    try:
        return template.render(context)
    except CannotRender as error:
        raise InvalidFields([FieldError(f"{at}/context", f"the template {name} cannot be filled in with this: {error}")]) from None


def _pointed(field: str) -> str:
    """A name as a part of a JSON Pointer (RFC 6901, 3)."""
    return field.replace("~", "~0").replace("/", "~1")
