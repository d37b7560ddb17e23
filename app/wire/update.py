"""The narrow waist: what a page is told, in whatever dialect it speaks."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.wire.swap import DEFAULT_SWAP, check_swap

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
        "delete, none or textContent; then optionally swap:100ms settle:200ms show:top scroll:bottom focus-scroll:true",
        examples=["afterbegin"],
    ),
]


class Fragment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page."""

    target: Target
    html: Html = ""
    swap: Swap = DEFAULT_SWAP

    def __post_init__(self) -> None:
        """Refuse an unknown swap word; make marked-up text plain text."""
        check_swap(self.swap)
        _as_plain_text(self)


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page and, out of band, for others: all of it is swapped in, or none."""

    target: Target
    html: Html = ""
    swap: Swap = DEFAULT_SWAP
    oob: Annotated[tuple[Fragment, ...], Meta(max_length=MAX_OOB, description="The same for further places")] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown swap word; make marked-up text plain text."""
        check_swap(self.swap)
        _as_plain_text(self)


def _as_plain_text(fragment: Fragment | Update) -> None:
    """`html` may be a Markup, which is a text that encoders do not take for one."""
    if type(fragment.html) is not str:
        msgspec.structs.force_setattr(fragment, "html", str(fragment.html))
