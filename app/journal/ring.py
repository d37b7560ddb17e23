"""The newest entries, in memory: bounded by number, by age, by bytes."""

from collections import deque
from collections.abc import Sequence

from app.journal.port import Cursor, Entry, GapError
from app.kernel.clock import monotonic


class Ring:
    """Keeps the newest `max_entries` entries that are not older than `max_age_s`, and no more than `max_bytes` of them."""

    def __init__(self, before: Cursor, *, max_entries: int, max_age_s: float, max_bytes: int) -> None:
        """`before`: the place of what came before the first that is added."""
        self._before = before
        self._max_entries = max_entries
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._kept_at: deque[float] = deque()
        """When each of them came."""
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """Keep it, as the newest."""
        self._entries.append(entry)
        self._kept_at.append(monotonic())
        self._bytes += len(entry.payload)
        self._trim()

    def after(self, cursor: Cursor, count: int, limit: int) -> Sequence[Entry] | None:
        """The oldest `limit` of the newest `count` entries, which are those after the cursor. None: not all of them are kept."""
        self._trim()
        entries = self._entries
        skipped = len(entries) - count
        if skipped < 0 or cursor != (entries[skipped - 1].cursor if skipped else self._before):
            return None
        return [entries[at] for at in range(skipped, min(skipped + limit, len(entries)))]  # near the ends a deque finds at once

    def at(self, cursor: Cursor, behind: int) -> Entry:
        """The entry of this place, so many before the newest. Raises GapError when it is not kept."""
        self._trim()
        at = len(self._entries) - 1 - behind
        if not 0 <= at < len(self._entries) or self._entries[at].cursor != cursor:
            raise GapError(cursor)
        return self._entries[at]

    def _trim(self) -> None:
        """Forget the oldest while they are too many, too old, or too long together."""
        oldest = monotonic() - self._max_age_s
        while self._entries and (
            len(self._entries) > self._max_entries or self._bytes > self._max_bytes or self._kept_at[0] < oldest
        ):
            self._kept_at.popleft()
            forgotten = self._entries.popleft()
            self._before = forgotten.cursor
            self._bytes -= len(forgotten.payload)
