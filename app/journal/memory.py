"""The journal of one process: a ring in memory. It dies with the process, and its cursors say so by their epoch."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import structlog

from app.journal.port import Cursor, Entry, GapError

_log = structlog.get_logger()


class MemoryJournal:
    """Keeps the newest `max_entries` entries. A cursor is `<epoch>-<place>`, both hexadecimal of fixed length."""

    def __init__(self, max_entries: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=max_entries)
        self._epoch = f"{time.time_ns() // 1_000_000:011x}"
        self._place = 0
        self._followers: list[Callable[[Entry], None]] = []

    async def append(self, payload: bytes) -> Cursor:
        """Give the payload its place and hand it to the followers before returning."""
        self._place += 1
        entry = Entry(self.head(), payload)
        self._entries.append(entry)
        for deliver in tuple(self._followers):
            try:
                deliver(entry)
            except Exception:
                _log.exception("journal follower failed", cursor=entry.cursor)
        return entry.cursor

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """Entries after the cursor, oldest first; GapError when they are not all here."""
        skipped = self._place_of(after) - (self._place - len(self._entries))
        if skipped < 0:
            raise GapError(after)
        return tuple(islice(self._entries, skipped, skipped + limit))

    def follow(self, deliver: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `deliver` with each entry from now on."""
        self._followers.append(deliver)
        return lambda: self._followers.remove(deliver)

    def head(self) -> Cursor:
        """The place of the newest entry."""
        return f"{self._epoch}-{self._place:012x}"

    def _place_of(self, cursor: Cursor) -> int:
        epoch, _, place = cursor.partition("-")
        try:
            at = int(place, 16)
        except ValueError:
            raise GapError(cursor) from None
        if epoch != self._epoch or not 0 <= at <= self._place:
            raise GapError(cursor)
        return at
