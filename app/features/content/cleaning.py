"""Cleans HTML of callers who may not send any HTML. What is left cannot act, nor pass itself off as a part of the page."""

import re
from collections.abc import Callable
from typing import Final

import nh3

from app.wire.swap import style_of

URL_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})
"""Where links may lead, and images come from, beside relative addresses. Others start programs on the visitor's machine."""

_KEPT = {"class", "id", "title", "lang", "dir", "role"}
_ATTRIBUTES = {tag: {*allowed, *_KEPT} - {"cite"} for tag, allowed in nh3.ALLOWED_ATTRIBUTES.items()} | {"*": _KEPT}
"""`cite` is an address that no browser shows."""
_FIRST_TAG = re.compile(r"\s*<([a-zA-Z]+)")
_TABLE_TAG = re.compile(r"<(/?)(?:table|tbody|tr)\b")
"""Of those in `_AROUND`, as the cleaner writes them: it escapes `<` everywhere else."""
_TARGET_ID = re.compile(r"#([\w-]+)")
_AROUND = {
    "tr": ("<table><tbody>", "</tbody></table>"),
    "td": (_ROW := "<table><tbody><tr>", _ROW_END := "</tr></tbody></table>"),
    "th": (_ROW, _ROW_END),
    **dict.fromkeys(("caption", "colgroup", "tbody", "tfoot", "thead"), ("<table>", "</table>")),
}
"""Parts of tables are parts only within one; anywhere else a parser drops their tags."""


class _Cleaner:
    """One for the process: making one takes ten times as long as a small piece of HTML."""

    def __init__(self) -> None:
        self._own = ""
        self._may_write: Callable[[str], bool] = bool
        self._cleaner = nh3.Cleaner(
            attributes=_ATTRIBUTES,
            attribute_filter=self._kept,
            generic_attribute_prefixes={"aria-"},
            link_rel="noopener noreferrer",
            url_schemes=URL_SCHEMES,
        )

    def clean(self, html: str, own: str, may_write: Callable[[str], bool]) -> str:
        """`own`: the id of the target, if it has one."""
        self._own, self._may_write = own, may_write
        return self._cleaner.clean(html)

    def _kept(self, _tag: str, attribute: str, value: str) -> str | None:
        is_safe = attribute != "id" or (("-" in value or value == self._own) and self._may_write(f"#{value}"))
        return value if is_safe else None


_cleaner = _Cleaner()


def cleaned(html: str, *, target: str, swap: str, may_write: Callable[[str], bool]) -> str:
    """The HTML without what acts: scripts, styles, forms, frames, `on…`, `wx-…`, `hx-…` and `data-…` attributes, `javascript:`.

    Text, structure, links and images stay. Of ids those stay that hold a hyphen, and the target's own. Any other is a name that a
    script of the page may look for: `<b id="config">` would become its variable `config`. And none stays that its caller may not
    write to: updates that are meant for an element of that id would go into this HTML.
    """
    if style_of(swap) == "textContent":  # text, which nothing parses
        return html
    own = _TARGET_ID.fullmatch(target)
    start = _FIRST_TAG.match(html)
    before, behind = _AROUND.get(start[1].lower() if start else "", ("", ""))
    whole = _cleaner.clean(before + html + behind, own[1] if own is not None else "", may_write)
    inside = whole.removeprefix(before).removesuffix(behind)
    return inside if before + inside + behind == whole and _stays_within(inside) else whole


def _stays_within(inside: str) -> bool:
    """Whether it ends no part of the table that it was cleaned in: what stands behind that end would be outside of its place."""
    depth = 0
    for tag in _TABLE_TAG.finditer(inside):
        depth += -1 if tag[1] else 1
        if depth < 0:
            return False
    return depth == 0
