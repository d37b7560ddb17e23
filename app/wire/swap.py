"""The swap words of the WSX protocol: how HTML enters the page, and what may follow that word."""

import re
from typing import Final

from app.kernel.errors import WrongField

DEFAULT_SWAP: Final = "innerHTML"

STYLES: Final = frozenset(
    {"innerHTML", "outerHTML", "beforebegin", "afterbegin", "beforeend", "afterend", "delete", "none", "textContent", "morph"}
)
"""The first word of a swap."""

CONTENT_STYLES: Final = frozenset({"innerHTML", "textContent", "morph"})
"""Replace all that is in the target and leave the target itself: the next of these makes this one invisible."""

REPLACING_STYLES: Final = CONTENT_STYLES | {"outerHTML", "delete"}
"""After one of these nothing is left of what the target held before."""

STYLES_WITHOUT_HTML: Final = frozenset({"delete", "none"})

_MODIFIERS: Final = (
    re.compile(r"(?:swap|settle):\d{1,6}(?:ms|s)"),
    re.compile(r"(?:show|scroll):(?:top|bottom)"),
    re.compile(r"focus-scroll:(?:true|false)"),
)
PATTERN: Final = f"^(?:{'|'.join(sorted(STYLES))})(?: (?:{'|'.join(one.pattern for one in _MODIFIERS)}))*$"
"""All swaps as one expression, for documents."""
_ADVICE: Final = (
    f"one of {', '.join(sorted(STYLES))} is wanted, "
    "then optionally swap:100ms settle:200ms show:top scroll:bottom focus-scroll:true"
)


def style_of(swap: str) -> str:
    """The first word: `"beforeend scroll:bottom"` -> `"beforeend"`."""
    return swap.partition(" ")[0]


def modifiers_of(swap: str) -> list[str]:
    """The words behind the first: `"beforeend scroll:bottom"` -> `["scroll:bottom"]`."""
    return swap.split(" ")[1:]


def check_swap(swap: str, field: str = "swap") -> None:
    """Raise WrongField when a word of the swap is not known, so that it fails here and not silently in the browser."""
    if swap in STYLES:
        return
    style, *modifiers = swap.split(" ")
    if style not in STYLES:
        raise WrongField(field, f"unknown swap {style!r}: {_ADVICE}")
    for word in modifiers:
        if not any(pattern.fullmatch(word) for pattern in _MODIFIERS):
            raise WrongField(field, f"unknown swap word {word!r}: {_ADVICE}")
