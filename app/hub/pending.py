"""What waits to be written to a connection, as a value that thousands of connections share.

Connections that wait for the same messages hold the same object. So a broadcast costs one assignment per connection, not one list;
what is joined for one is joined for all; and what a newer message replaces is dropped once for a thousand that stalled together.
"""

from collections.abc import Iterator
from typing import Final

from app.wire.prepared import Prepared


class Pending:
    """Messages in order. Never changed: a further message makes a new one, which begins with this one."""

    __slots__ = ("_whole", "before", "count", "message", "replaceable", "size_bytes")

    def __init__(self, before: "Pending | None" = None, message: Prepared | None = None) -> None:
        self.before = before
        self.message = message
        """The newest; None of `NOTHING` only."""
        self.count: int = 0 if before is None else before.count + 1
        """How many messages there are."""
        self.size_bytes: int = 0 if before is None or message is None else before.size_bytes + len(message.data)
        """Their bytes on the wire, as if nothing were compressed."""
        self.replaceable: bool = before is not None and (before.replaceable or getattr(message, "content_of", None) is not None)
        """Whether there is anything that a newer message could make invisible."""
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
        """The very same object where there is nothing to drop: it stays shared, and what was joined stays joined."""
        if not self.replaceable:  # a thousand long ones that only grow are not walked through
            return self
        messages = self._oldest_first()
        if all(message.content_of != target for message in messages):
            return self
        kept = NOTHING
        for message in messages:
            if message.content_of != target:
                kept = Pending(kept, message)
        return kept


NOTHING: Final = Pending()
"""No message: where every connection begins, and is again once it was written to."""
