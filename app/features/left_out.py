"""What some pages are not told of an update, because their clients have no words for it. Whoever sends it is told so."""

from collections.abc import Collection
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.wire.swap import modifiers_of
from app.wire.update import Update, fragments_of

DIALECTS: Final = ("htmx", "turbo")
"""Those that swap at once, and never scroll."""


class LeftOut(msgspec.Struct, frozen=True):
    """Words of one swap."""

    target: str
    words: list[str]
    dialects: list[str]


LeftOuts = Annotated[
    list[LeftOut] | UnsetType,
    Meta(
        description="Swap words that pages of htmx and Turbo are not told, as these have none for them: they see the same HTML, at "
        "once and without scrolling. Missing: nothing is left out"
    ),
]


def left_out(updates: Collection[Update], dialect: str = "") -> LeftOuts:
    """Of these updates, in order. `dialect`: of the only page that hears them."""
    for update in updates:
        if update.oob or " " in update.swap:
            break
    else:
        return UNSET  # nearly always, and looked at with each broadcast
    concerned = [name for name in DIALECTS if not dialect or name in dialect]
    parts = (part for update in updates for part in fragments_of(update))
    found = [LeftOut(part.target, words, concerned) for part in parts if (words := modifiers_of(part.swap))]
    return found if found and concerned else UNSET
