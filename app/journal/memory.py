"""The journal of one process: a ring in memory. It dies with the process, and its cursors say so by their epoch."""

import re
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from app.journal.port import Cursor, Entry, GapError
from app.kernel.clock import monotonic

MAX_BYTES = 134_217_728
"""Payloads that are kept at most, 128 MiB: 10,000 of the largest bodies that the back office may send would be 2.5 GiB."""

_CURSOR = re.compile(r"([0-9a-f]{11})-([0-9a-f]{12})")
_log = structlog.get_logger()


class MemoryJournal:
    """Keeps the newest `max_entries` entries that are not older than `max_age_s`, and no more than `max_bytes` of them.

    A cursor is `<epoch>-<place>`, both hexadecimal of fixed length.
    """

    def __init__(self, max_entries: int, *, max_age_s: float = float("inf"), max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._kept_at: deque[float] = deque()
        """When each of them came."""
        self._bytes = 0
        self._epoch = f"{time.time_ns() // 1_000_000:011x}"
        self._place = 0
        self._followers: list[Callable[[Entry], None]] = []

    async def append(self, payload: bytes) -> Cursor:
        """Give the payload its place and hand it to the followers before returning."""
        self._place += 1
        entry = Entry(self.head(), payload)
        self._entries.append(entry)
        self._kept_at.append(monotonic())
        self._bytes += len(payload)
        self._trim()
        for deliver in tuple(self._followers):
            try:
                deliver(entry)
            except Exception:
                _log.exception("journal follower failed", cursor=entry.cursor)
        return entry.cursor

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """Entries after the cursor, oldest first; GapError when they are not all here."""
        self._trim()
        entries = self._entries
        skipped = self._place_of(after) - (self._place - len(entries))
        if skipped < 0:
            raise GapError(after)
        return [entries[at] for at in range(skipped, min(skipped + limit, len(entries)))]  # near the ends a deque finds at once

    def follow(self, deliver: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `deliver` with each entry from now on."""
        self._followers.append(deliver)
        return lambda: self._followers.remove(deliver)

    def head(self) -> Cursor:
        """The place of the newest entry."""
        return f"{self._epoch}-{self._place:012x}"

    def _trim(self) -> None:
        """Forget the oldest while they are too many, too old, or too long together."""
        oldest = monotonic() - self._max_age_s
        while self._entries and (
            len(self._entries) > self._max_entries or self._bytes > self._max_bytes or self._kept_at[0] < oldest
        ):
            self._kept_at.popleft()
            self._bytes -= len(self._entries.popleft().payload)

    def _place_of(self, cursor: Cursor) -> int:
        found = _CURSOR.fullmatch(cursor)
        at = int(found[2], 16) if found is not None and found[1] == self._epoch else -1
        if not 0 <= at <= self._place:
            raise GapError(cursor)
        return at
