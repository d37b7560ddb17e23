"""The journal of one process: a ring in memory. It dies with the process, and its cursors say so by their epoch."""

import re
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from app.journal.followers import Deliver, Followers, Lost, Stop, UntilReady
from app.journal.port import Cursor, Entry, GapError, Health
from app.journal.ring import Ring
from app.kernel.clock import monotonic

MAX_BYTES = 134_217_728
"""Payloads that are kept at most, 128 MiB: 10,000 of the largest bodies that the back office may send would be 2.5 GiB."""

_CURSOR = re.compile(r"([0-9a-f]{11})-([0-9a-f]{12})")


class MemoryJournal:
    """Keeps what a `Ring` of these limits keeps. A cursor is `<epoch>-<place>`, both hexadecimal of fixed length."""

    def __init__(self, max_entries: int, *, max_age_s: float = float("inf"), max_bytes: int = MAX_BYTES) -> None:
        self._epoch = f"{time.time_ns() // 1_000_000:011x}"
        self._place = 0
        self._new_ring = partial(Ring, max_entries=max_entries, max_age_s=max_age_s, max_bytes=max_bytes)
        self._ring = self._new_ring(self.head())
        self._followers = Followers()

    def begin_anew(self) -> None:
        """Forget all entries: another journal, to whose followers all that came before is lost."""
        self._epoch = f"{max(time.time_ns() // 1_000_000, int(self._epoch, 16) + 1):011x}"
        self._place = 0
        self._ring = self._new_ring(self.head())
        self._followers.lost()

    async def append(self, payload: bytes) -> Cursor:
        """Give the payload its place and hand it to the followers before returning."""
        self._place += 1
        entry = Entry(self.head(), payload, monotonic())
        self._ring.add(entry)
        self._followers.deliver(entry)
        return entry.cursor

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """Entries after the cursor, oldest first; GapError when they are not all here."""
        found = self._ring.after(after, self._place - self._place_of(after), limit)
        if found is None:
            raise GapError(after)
        return found

    def at(self, cursor: Cursor) -> Entry:
        """The entry of this place; GapError when it is not here."""
        return self._ring.at(cursor, self._place - self._place_of(cursor))

    def follow(self, deliver: Deliver, *, lost: Lost | None = None, until_ready: UntilReady | None = None) -> Stop:
        """Call `deliver` with each entry from now on. Nothing is ever lost, and who appends waits by itself."""
        return self._followers.add(deliver, lost, until_ready)

    def head(self) -> Cursor:
        """The place of the newest entry."""
        return f"{self._epoch}-{self._place:012x}"

    def health(self) -> Health:
        """Always well."""
        return Health("ok", entries=self._place)

    async def until_reached(self) -> None:
        """It is never away."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """It needs nothing to run."""
        return nullcontext()

    def _place_of(self, cursor: Cursor) -> int:
        found = _CURSOR.fullmatch(cursor)
        at = int(found[2], 16) if found is not None and found[1] == self._epoch else -1
        if not 0 <= at <= self._place:
            raise GapError(cursor)
        return at
