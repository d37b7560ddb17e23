"""What a caller says of one place in a page."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.kernel.errors import WrongField
from app.wire.swap import DEFAULT_SWAP, STYLES_WITHOUT_HTML, check_swap, style_of
from app.wire.update import MAX_OOB, Swap, Target

MAX_HTML_CHARS: Final = 131_072
"""Characters of one `html`: half of what an outbox holds for a page that is slow. A page that needs more should load it."""
MAX_NAME_CHARS: Final = 100

Html = Annotated[
    str, Meta(max_length=MAX_HTML_CHARS, description="HTML fragment to swap in", examples=["<p>Back in five minutes</p>"])
]
TemplateName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_CHARS,
        description="In place of `html`: a template of `GET /templates`, filled in with `context`",
        examples=["notice"],
    ),
]
Context = Annotated[
    dict[str, Any],
    Meta(description="The template's fields, plain JSON; every text is escaped", examples=[{"title": "Back in five minutes"}]),
]


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page: as it is, or a template's."""

    target: Target
    html: Html | UnsetType = UNSET
    template: TemplateName | UnsetType = UNSET
    context: Context | UnsetType = UNSET
    swap: Swap = DEFAULT_SWAP

    def __post_init__(self) -> None:
        """Refuse an unknown swap word, and anything but one of `html` and `template`."""
        check_swap(self.swap)
        if self.template is UNSET and self.context is not UNSET:
            raise WrongField("context", "goes with a `template`, and there is none")
        if self.template is not UNSET and self.html is not UNSET:
            raise WrongField("template", "either `template` or `html` is wanted, not both")
        if self.template is UNSET and self.html is UNSET and style_of(self.swap) not in STYLES_WITHOUT_HTML:
            styles = " and ".join(sorted(STYLES_WITHOUT_HTML))
            raise WrongField(
                "html", f"missing, and so is `template`; only {styles} need none, and an empty text empties the target"
            )


class Content(Piece, frozen=True, forbid_unknown_fields=True):
    """HTML for one place in the page and, out of band, for others: all of it is swapped in, or none."""

    oob: Annotated[tuple[Piece, ...], Meta(max_length=MAX_OOB, description="The same for further places")] = ()
