"""The narrow waist: what a page is told, in whatever dialect it speaks."""

from typing import Annotated, cast

import msgspec
from msgspec import UNSET, Meta

from app.kernel.errors import WrongField
from app.wire.swap import DEFAULT_SWAP, PATTERN, STYLES_WITHOUT_HTML, check_swap, style_of

MAX_TARGET_CHARS = 256
"""A CSS selector. Longer ones are mistakes, and each costs its length for every page."""
MAX_OOB = 32
"""Further places in one update; a page that needs more should be loaded anew."""

Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TARGET_CHARS,
        description="CSS selector; the first element that matches is meant",
        examples=["#announcements"],
    ),
]
Html = Annotated[str, Meta(description="HTML fragment to swap in", examples=["<p>Back in five minutes</p>"])]
Swap = Annotated[
    str,
    Meta(
        max_length=128,
        description="How the HTML enters the page: innerHTML (default), outerHTML, beforebegin, afterbegin, beforeend, afterend, "
        "delete, none, textContent or morph; then optionally swap:100ms settle:200ms show:top scroll:bottom focus-scroll:true",
        examples=["afterbegin"],
        extra_json_schema={"pattern": PATTERN},  # our own words on what is wrong say more than the expression
    ),
]


_MISSING: str = cast("str", UNSET)
"""So that forgotten HTML does not empty its target."""


class Fragment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page."""

    target: Target
    html: Html = _MISSING
    swap: Swap = DEFAULT_SWAP

    def __post_init__(self) -> None:
        """Refuse an unknown swap word and missing HTML; make marked-up text plain text."""
        check_swap(self.swap)
        _settle_html(self)


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page and, out of band, for others: all of it is swapped in, or none."""

    target: Target
    html: Html = _MISSING
    swap: Swap = DEFAULT_SWAP
    oob: Annotated[tuple[Fragment, ...], Meta(max_length=MAX_OOB, description="The same for further places")] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown swap word and missing HTML; make marked-up text plain text."""
        check_swap(self.swap)
        _settle_html(self)


def fragments_of(update: Update) -> tuple[Fragment, ...]:
    """All of its places, in the order in which they are swapped in."""
    return Fragment(update.target, update.html, update.swap), *update.oob


def _settle_html(fragment: Fragment | Update) -> None:
    """`html` may be missing where none is needed, and a Markup, which is a text that encoders do not take for one."""
    if fragment.html is _MISSING:
        if style_of(fragment.swap) not in STYLES_WITHOUT_HTML:
            raise WrongField(
                "html", f"missing; only {' and '.join(sorted(STYLES_WITHOUT_HTML))} need none, and an empty text empties the target"
            )
        msgspec.structs.force_setattr(fragment, "html", "")
    elif type(fragment.html) is not str:
        msgspec.structs.force_setattr(fragment, "html", str(fragment.html))
