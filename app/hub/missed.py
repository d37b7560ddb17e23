"""In which targets a page has missed something, where the journal has forgotten what it was."""

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.hub.audience import assuming
from app.hub.recall import Hearing
from app.hub.touched import Touched
from app.kernel.clock import monotonic

MAX_HOLD_S = 0.002
"""Seconds in which one page looks for what it missed, before others have their turn."""
MAX_TARGETS = 256
"""Targets that a gap names. Where there are more, the page is better loaded anew, and the gap says that it may have been any."""


class Touch(NamedTuple):
    """What is known of it."""

    targets: Collection[str]
    """All in which something was missed."""
    is_doubtful: bool
    """Whether some of that depends on where the page was, and nobody knows it any more."""

    @property
    def named(self) -> Sequence[str]:
        """The targets that a gap names; none: it may have been any."""
        return sorted(self.targets) if len(self.targets) <= MAX_TARGETS else ()


async def touch_between(touched: Touched, hearing: Hearing, cursor: str, head: str, *, is_lost: bool) -> Touch | None:
    """What it missed between these places; None: it may have been anything. `is_lost`: nobody knows where it was."""
    hears = hearing.heard_until
    if not touched.knows(cursor, head):
        return None
    found: set[str] = set()
    is_doubtful = False
    until = monotonic() + MAX_HOLD_S
    for place, audience, targets in touched.after(cursor, hearing.own):
        if hears(assuming(audience, is_near=True) if is_lost else audience, place):
            found.update(targets)
            is_doubtful |= is_lost and not hears(assuming(audience, is_near=False), place)
        if len(found) > MAX_TARGETS and not is_lost:  # no more are named
            break
        if monotonic() > until:
            await asyncio.sleep(0)
            until = monotonic() + MAX_HOLD_S
    return Touch(found, is_doubtful)
