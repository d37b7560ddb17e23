"""What waits to be written to a connection, as a value that thousands of connections share.

Connections that wait for the same messages hold the same object. So a broadcast costs one assignment per connection, not one list;
what is joined for one is joined for all; and what a newer message replaces is dropped once for a thousand that stalled together.
"""

from collections.abc import Iterator
from typing import Final

from app.wire.prepared import Prepared

TARGET_BITS = 1_024
"""In so many bits the targets of what waits are noted. Two targets that share one cost longer walks, and nothing else."""


class Pending:
    """Messages in order. Never changed: a further message makes a new one, which begins with this one."""

    __slots__ = ("_whole", "before", "count", "message", "size_bytes", "targets")

    def __init__(self, before: "Pending | None" = None, message: Prepared | None = None) -> None:
        self.before = before
        self.message = message
        """The newest; None of `NOTHING` only."""
        self.count: int = 0 if before is None else before.count + 1
        """How many messages there are."""
        self.size_bytes: int = 0 if before is None or message is None else before.size_bytes + len(message.data)
        """Their bytes on the wire, as if nothing were compressed."""
        self.targets: int = 0 if before is None or message is None else _noted(before.targets, message.content_of)
        """A bit for each target whose content the messages change: what a newer message could make invisible."""
        self._whole = message if self.count == 1 else None

    def then(self, message: Prepared) -> "Pending":
        """These, without those that the message makes invisible, and the message."""
        target = message.replaces
        return Pending(self if target is None else self._without_content_of(target), message)

    def whole(self) -> Prepared:
        """All of them as one write; joined at the first call."""
        if self._whole is None:
            self._whole = Prepared.joined(self)
        return self._whole

    def __iter__(self) -> Iterator[Prepared]:
        """The messages, oldest first."""
        return iter(self._oldest_first())

    def _oldest_first(self) -> list[Prepared]:
        found: list[Prepared] = []
        at: Pending | None = self
        while at is not None and at.message is not None:
            found.append(at.message)
            at = at.before
        found.reverse()
        return found

    def _without_content_of(self, target: str) -> "Pending":
        """The very same object where there is nothing to drop: it stays shared, and what was joined stays joined.

        Walked back through is only what came since the target was first named. So a status that is replaced costs some µs for each
        page that stalls by itself, and not 1 ms for the thousand messages that the page waits for.
        """
        bit = _bit_of(target)
        kept: list[Prepared] = []
        at, found = self, False
        while at.targets & bit and at.before is not None and at.message is not None:
            if at.message.content_of == target:
                found = True
            else:
                kept.append(at.message)
            at = at.before
        if not found:
            return self
        for message in reversed(kept):
            at = Pending(at, message)
        return at


def _bit_of(target: str) -> int:
    return 1 << hash(target) % TARGET_BITS


def _noted(targets: int, target: str | None) -> int:
    """The very same number where nothing is new: thousands of messages for one target share its 160 bytes."""
    return targets if target is None or targets & (bit := _bit_of(target)) else targets | bit


NOTHING: Final = Pending()
"""No message: where every connection begins, and is again once it was written to."""
