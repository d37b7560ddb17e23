"""What dialects need to know of HTML that they put into HTML of their own, as a parser of HTML sees it (html5ever, by nh3)."""

import re
from html import escape
from typing import Final

import nh3

from app.wire.swap import style_of
from app.wire.update import Fragment

_TEMPLATE: Final = re.compile(r"<(/?)(?:template|hx-[a-z]+|wsx-part)", re.IGNORECASE)
"""What begins or ends one, or what else updates are put into; `<hx-…>` is a template for htmx."""
_HOLDING_TEXT: Final = ("textarea", "title", "style", "script", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext")
"""Elements whose content a parser takes for text, whatever it is."""
_ENDS: Final = ("", "</template>", "-->", *(f"</{name}>" for name in _HOLDING_TEXT))
"""What may be missing at the end of HTML that somebody has cut off."""
_TEXT_ELEMENT: Final = re.compile(rf"<(?:{'|'.join(_HOLDING_TEXT)})", re.IGNORECASE)
_ELEMENT: Final = re.compile(r"\s*<([a-zA-Z][a-zA-Z0-9-]*)(?=[\s/>]).*(?=</\1\s*>\s*\Z)", re.ASCII | re.DOTALL | re.IGNORECASE)
"""What begins and ends as an element of one name does."""
_VOID: Final = re.compile(r"""\s*<(br|hr|img|input)(?=[\s/>])(?:[^<>"']|"[^<"]*"|'[^<']*')*>\s*\Z""", re.IGNORECASE)
_NAMES: Final = re.compile(r"<([a-zA-Z][^\s/>]*)")
_IMPLIED: Final = frozenset({"tbody", "tr", "colgroup", "p", "br", "img"})
"""Elements that a parser makes though no start tag names them."""
_MARK: Final = "wsx-root"
_END: Final = "<wsx-end></wsx-end>"
"""A mark, which a parser leaves where it is."""

_seen_alone = nh3.Cleaner(tags={"template", "wsx-end"}, attributes={}, clean_content_tags=set(), link_rel=None)


def sole_root(html: str) -> int | None:
    """Where attributes of the one element that the HTML surely is can be put in. None: it may be none, or several.

    None also for parts of tables, which a parser drops where it sees no table, and wherever an element holds nothing but text: what
    such text looks like is nobody's structure.
    """
    if (void := _VOID.match(html)) is not None:
        return void.end(1)
    element = _ELEMENT.match(html)
    if element is None or _TEXT_ELEMENT.search(html):
        return None
    name, place, end = element[1].lower(), element.end(1), element.end()
    seen = nh3.clean(
        f"{html[:place]} {_MARK}{html[place:end]}{_END}{html[end:]}",
        tags={*map(str.lower, _NAMES.findall(html)), *_IMPLIED, "wsx-end"},
        clean_content_tags=set(),
        attributes={"*": {_MARK}},
        link_rel=None,
    )
    return place if _is_one(seen.strip(), name) else None


def within_template(html: str) -> str:
    """The HTML so that it can stand in a `<template>` and ends with it: what reaches out of that is made to stay.

    What was cut off is ended. Where that does not help, the templates in it are none any more.
    """
    for end in _ENDS:
        if end[2:-1] in html.lower() and _stays(html + end):
            return html + end
    return _TEMPLATE.sub(r"<\1wsx-none", html)


def text_as_html(fragment: Fragment) -> str:
    """Its content as HTML, also where that is text."""
    return escape(fragment.html) if style_of(fragment.swap) == "textContent" else fragment.html


def _is_one(seen: str, name: str) -> bool:
    """Whether this, as a parser writes it, is the element that begins it, to the end, and holds the mark."""
    depth = 0
    for tag in re.finditer(rf"<(/?){name}(?=[\s>])[^>]*>", seen):  # a parser writes `<` for nothing but tags
        depth += -1 if tag[1] else 1
        if depth == 0:
            return seen.startswith(f'<{name} {_MARK}="">') and tag.end() == len(seen) and _END in seen
    return False


def _stays(html: str) -> bool:
    """Whether a template around it ends where that is to end. The first mark is in it and so not seen, the second is behind it."""
    as_htmx_reads_it = _TEMPLATE.sub(r"<\1template", html)
    return _seen_alone.clean(f"<template>{as_htmx_reads_it}{_END}</template>{_END}") == f"<template></template>{_END}"
