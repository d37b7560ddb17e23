"""The port: what any journal promises."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

Cursor = str
"""A place in the journal: opaque, and increasing as text within one life of the journal."""


class Entry(NamedTuple):
    """One publication at its place."""

    cursor: Cursor
    payload: bytes


class GapError(Exception):
    """Entries after the cursor are gone, or the cursor is of another life of the journal."""


class Journal(Protocol):
    """One order of publications for all nodes. At least once to every follower while the entry is kept."""

    async def append(self, payload: bytes) -> Cursor:
        """Give the payload its place. When this returns, the followers of this node were called with the entry.

        Not safe to cancel: the entry may be in the journal all the same.
        """

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """At most `limit` entries after `after`, oldest first. Raises GapError when some are gone: never a partial answer.

        Nothing that is no cursor of this journal is an error of another kind. May wait, and may return entries that the followers
        of this node have not been called with yet: those after `head()`. Safe to cancel.
        """

    def follow(self, deliver: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `deliver` with each entry from now on, in order, on the event loop. Returns what ends it.

        A follower that raises is logged and stays; it never keeps an entry from the others.
        """

    def head(self) -> Cursor:
        """The place of the newest entry that the followers of this node were called with."""
