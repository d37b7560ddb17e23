"""HTML of the back office. A key without the scope `html:raw` may not put scripts, forms or active attributes into pages."""

import re

import nh3

from app.auth.keys import Caller
from app.auth.scopes import HTML_RAW, allows
from app.wire.swap import style_of
from app.wire.update import Fragment, Update

_KEPT = {"class", "id", "title", "lang", "dir", "role"}
_ATTRIBUTES = {tag: {*allowed, *_KEPT} for tag, allowed in nh3.ALLOWED_ATTRIBUTES.items()} | {"*": _KEPT}
_FIRST_TAG = re.compile(r"\s*<([a-zA-Z]+)")
_AROUND = {
    "tr": ("<table><tbody>", "</tbody></table>"),
    "td": (_ROW := "<table><tbody><tr>", _ROW_END := "</tr></tbody></table>"),
    "th": (_ROW, _ROW_END),
    **dict.fromkeys(("caption", "colgroup", "tbody", "tfoot", "thead"), ("<table>", "</table>")),
}
"""Parts of tables are parts only within one; anywhere else a parser drops their tags."""
_CLEANER = nh3.Cleaner(attributes=_ATTRIBUTES, generic_attribute_prefixes={"aria-"}, link_rel="noopener noreferrer")


def clean(update: Update, caller: Caller) -> Update:
    """The update as this caller may send it.

    Cleaned HTML keeps text, structure, links and images; what acts is gone: scripts, styles, `on…`, `wx-…`, `hx-…` and `data-…`
    attributes, forms, frames, `javascript:` links.
    """
    if allows(caller.scopes, HTML_RAW):
        return Update(update.target, update.html, update.swap, update.oob)
    oob = tuple(Fragment(part.target, _cleaned(part), part.swap) for part in update.oob)
    return Update(update.target, _cleaned(update), update.swap, oob)


def _cleaned(part: Fragment | Update) -> str:
    if style_of(part.swap) == "textContent":  # text, which nothing parses
        return part.html
    start = _FIRST_TAG.match(part.html)
    before, behind = _AROUND.get(start[1].lower() if start else "", ("", ""))
    cleaned = _CLEANER.clean(before + part.html + behind)
    return cleaned.removeprefix(before).removesuffix(behind)
