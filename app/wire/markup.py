"""What dialects need to know of HTML that they put into HTML of their own. Where it is not sure, they are told the safe answer."""

import re
from html import escape
from typing import Final

from app.wire.swap import style_of
from app.wire.update import Fragment

_CLOSED_BY_NOTHING: Final = frozenset(
    {
        *("article", "aside", "footer", "header", "main", "nav", "section", "details", "dialog", "figure", "div", "span"),
        *("button", "fieldset", "form", "label", "output", "select", "textarea"),
        *("dl", "li", "ol", "ul", "table", "tbody", "td", "th", "tr"),
    }
)
"""Elements that end only with their own end tag, or with their parent's (HTML, 13.1.2.4): whatever they hold stays in them."""
_HOLDING_TEXT: Final = frozenset(
    {"a", "b", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "i", "p", "pre", "small", "strong", "time"}
)
"""Elements that some others end, or are moved out of; text does neither."""
_VOID: Final = frozenset({"img", "input"})
_NAME: Final = r"[a-zA-Z][a-zA-Z0-9-]*"
_VALUE: Final = r'"[^"<>]*"|\'[^\'<>]*\'|[^\s"\'<>=`]+'
_TAG: Final = re.compile(rf"\s*<({_NAME})((?:\s+[^\s\"'<>/=]+(?:\s*=\s*(?:{_VALUE}))?)*\s*/?)>", re.ASCII)
_TEMPLATE: Final = re.compile(r"<(/?)template(?=[\s/>])[^<>]*>", re.IGNORECASE)


def sole_root(html: str) -> int | None:
    """Where attributes of the one element that the HTML surely is can be put in. None: it may be none, or several."""
    start = _TAG.match(html)
    if start is None:
        return None
    name, rest = start[1].lower(), html[start.end() :].rstrip().lower()
    if name in _VOID:
        return None if rest else start.end(1)
    end = f"</{name}>"
    is_whole = rest.endswith(end) and f"<{name}" not in rest and rest.find(end[:-1]) == len(rest) - len(end)
    if name in _HOLDING_TEXT:
        is_whole &= rest.count("<") == 1
    elif name not in _CLOSED_BY_NOTHING and "-" not in name:
        is_whole = False
    return start.end(1) if is_whole else None


def balanced(html: str) -> str:
    """The HTML with as many ends of templates as it has beginnings: so it can stand in one. Parsers pass over the others, too."""
    if "template" not in html.lower():
        return html
    pieces, at, depth = [], 0, 0
    for found in _TEMPLATE.finditer(html):
        is_stray = found[1] and not depth
        pieces.append(html[at : found.start() if is_stray else found.end()])
        at = found.end()
        depth += 0 if is_stray else -1 if found[1] else 1
    return "".join((*pieces, html[at:], "</template>" * depth))


def text_as_html(fragment: Fragment) -> str:
    """Its content as HTML, also where that is text."""
    return escape(fragment.html) if style_of(fragment.swap) == "textContent" else fragment.html
