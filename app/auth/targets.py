"""Where a key may write, when it may not write everywhere: a list of targets.

An entry allows the selector that is the same text, without the space around it; or, as `#chat*`, every plain id that begins so.
Nothing is understood of CSS: whatever is written otherwise (a list with commas, `:is()`, an escape, a comment) is another text, and
not allowed.
"""

import re
from collections.abc import Collection
from typing import Final

from app.kernel.errors import Forbidden

MAX_TARGETS: Final = 50
"""Targets of one key; a key that needs more may as well have none."""
_SPACE: Final = " \t\n\r\f"
"""What CSS takes for space around a selector."""
_ID: Final = re.compile(r"#[A-Za-z0-9_-]+")
_BEGINNING: Final = re.compile(r"#[A-Za-z0-9_-]+\*")


def trimmed(target: str) -> str:
    """A selector without the space around it, which says nothing."""
    return target.strip(_SPACE)


def is_entry(text: str) -> bool:
    """Whether this may stand in a list: a selector, or the beginning of an id and a star."""
    return bool(text) and (not text.endswith("*") or _BEGINNING.fullmatch(text) is not None)


def may_write(allowed: Collection[str] | None, target: str) -> bool:
    """Whether a key with this list may write to the target. None: it may write everywhere."""
    if allowed is None:
        return True
    target = trimmed(target)
    if target in allowed:
        return not target.endswith("*")
    return _ID.fullmatch(target) is not None and _begins(allowed, target)


def check_target(allowed: Collection[str] | None, target: str) -> None:
    """Raise Forbidden, naming the target and what is allowed, unless a key with this list may write to it."""
    if not may_write(allowed, target):
        message = f"this key may not write to {target!r}; it may write to {', '.join(sorted(allowed or ()))}"
        raise Forbidden(message)


def beyond(allowed: Collection[str] | None, wanted: Collection[str] | None) -> list[str]:
    """The wanted entries that allow what this list does not, sorted. None among them stands for everywhere, and is told as `*`."""
    if allowed is None:
        return []
    if wanted is None:
        return ["*"]
    return sorted(entry for entry in wanted if not (_begins(allowed, entry) if entry.endswith("*") else may_write(allowed, entry)))


def _begins(allowed: Collection[str], text: str) -> bool:
    return any(text.startswith(entry[:-1]) for entry in allowed if entry.endswith("*"))
