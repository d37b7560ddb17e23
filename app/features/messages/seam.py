"""Where what was said before meets what is said from now on: nothing missing, and nothing twice.

A page that joins a room is put into it first, then the last messages are read, which takes a moment. What is pushed in that moment
the page gets as it is; and then the list, which takes the place of all that. So the list must hold what was pushed meanwhile, and
must not hold what is stored already and will be pushed in a moment.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from uuid import UUID

from markupsafe import Markup

from app.features.services import Services

Shown = tuple[UUID, Markup]

SHOWN_ON_JOINING = 50
"""Messages that a page is shown which joins a room."""
MAX_HISTORY_BYTES = 64 * 1024
"""HTML of the messages that a page is shown which joins a room. They travel as one message: clients that take small ones only must
be able to join, and to make and write megabytes for each page that joins would hold the loop."""

_BETWEEN = Markup("\n")


class Joining:
    """One page on its way into a room: what became of the room's messages since it is in the registry."""

    def __init__(self) -> None:
        self.said: dict[UUID, Markup] = {}
        """New messages, in order."""
        self.changed: dict[UUID, Markup | None] = {}
        """How a message looks now, be it on the list or too old for it; None: it was removed."""


class Seam:
    """The messages that are on their way, and the pages that join, by room."""

    def __init__(self, _services: Services) -> None:
        self._on_the_way: set[UUID] = set()
        self._joining: dict[str, list[Joining]] = {}

    @contextmanager
    def sending(self, message_id: UUID) -> Iterator[None]:
        """Around the commit of a new message and its push."""
        self._on_the_way.add(message_id)
        try:
            yield
        finally:
            self._on_the_way.discard(message_id)

    def pushed(self, room_id: str, message_id: UUID, shown: Markup) -> None:
        """A new message was pushed to the room. Call it in the same turn of the loop as the push."""
        for joining in self._joining.get(room_id, ()):
            joining.said[message_id] = shown

    def changed(self, room_id: str, message_id: UUID, shown: Markup | None) -> None:
        """A message was edited or (None) removed, and the room was told. Call it in the same turn of the loop as the push."""
        for joining in self._joining.get(room_id, ()):
            joining.changed[message_id] = shown

    @contextmanager
    def joining(self, room_id: str) -> Iterator[Joining]:
        """Around the time from the moment when a page is in the room until its list is made."""
        joining = Joining()
        self._joining.setdefault(room_id, []).append(joining)
        try:
            yield joining
        finally:
            self._joining[room_id].remove(joining)
            if not self._joining[room_id]:
                del self._joining[room_id]

    def joined(self, before: Iterable[Shown], joining: Joining) -> Markup:
        """The list: what was read, as it is by now, and as much of it as a page is shown.

        Put it into the page's outbox without waiting for anything in between.
        """
        listed = {message_id: html for message_id, html in before if message_id not in self._on_the_way} | joining.said
        newest_first = ((message_id, joining.changed.get(message_id, html)) for message_id, html in reversed(listed.items()))
        shown = newest_that_fit((message_id, html) for message_id, html in newest_first if html is not None)
        return _BETWEEN.join(html for _, html in shown)


def newest_that_fit(newest_first: Iterable[Shown]) -> list[Shown]:
    """The newest messages that are not too many and not too long in all, oldest first; the newest one however long it is."""
    fitting: list[Shown] = []
    left = MAX_HISTORY_BYTES
    for message_id, html in islice(newest_first, SHOWN_ON_JOINING):
        left -= len(html.encode()) + len(_BETWEEN) * bool(fitting)
        if left < 0 and fitting:
            break
        fitting.append((message_id, html))
    return fitting[::-1]
