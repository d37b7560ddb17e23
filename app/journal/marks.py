"""What may be forgotten of a journal that others keep, too: each node knows by itself, from what it has seen."""

from collections import deque
from typing import NamedTuple

from app.kernel.clock import monotonic

STEPS = 64
"""Marks over the time that is kept, and as many over the bytes: so much more may be kept than is wanted, one part of these."""


class _Mark(NamedTuple):
    number: int
    at: float
    bytes_until: int


class Marks:
    """Remembers when some of the entries came: those that are older than `max_age_s`, or that `max_bytes` came after, may go."""

    def __init__(self, *, max_age_s: float, max_bytes: int) -> None:
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._marks: deque[_Mark] = deque()
        self._bytes = 0
        self._first_kept = 0

    def note(self, number: int, size_bytes: int) -> None:
        """This entry came now. Numbers increase."""
        now = monotonic()
        self._bytes += size_bytes
        last = self._marks[-1] if self._marks else None
        if last is None or now - last.at >= self._max_age_s / STEPS or self._bytes - last.bytes_until >= self._max_bytes / STEPS:
            self._marks.append(_Mark(number, now, self._bytes))
        self._forget(now)

    def first_kept(self) -> int:
        """The number of the oldest entry that is to be kept; 0: as far as this node knows, all are."""
        self._forget(monotonic())
        return self._first_kept

    def clear(self) -> None:
        """Numbers begin anew."""
        self._marks.clear()
        self._first_kept = 0

    def _forget(self, now: float) -> None:
        marks = self._marks
        while marks and (now - marks[0].at > self._max_age_s or self._bytes - marks[0].bytes_until > self._max_bytes):
            self._first_kept = marks.popleft().number + 1
