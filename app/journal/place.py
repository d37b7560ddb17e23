"""Places in the journal of a cluster."""

import re
import secrets
import time
from typing import NamedTuple, Self

from app.journal.port import Cursor, GapError

_CURSOR = re.compile(r"([0-9a-f]{14})-([0-9a-f]{11})([0-9a-f]{6})")
_MARK = 0xFFFFFF
_EPOCH_MS_DIGITS = 11


class Place(NamedTuple):
    """The place of one entry: its number, and when Redis took it.

    Numbers are consecutive within one life, so what is missing is seen. The time tells two entries of the same number from each
    other: a copy of Redis that lags behind may become the one that counts, and give a number for the second time.
    """

    epoch: str
    """Of which life: 14 hexadecimal digits, increasing from life to life."""
    number: int
    time_us: int
    """Microseconds of Redis's clock."""

    @classmethod
    def of(cls, epoch: str, entry_id: bytes) -> Self:
        """From an id in the stream."""
        number, _, time_us = entry_id.partition(b"-")
        return cls(epoch, int(number), int(time_us))

    @property
    def id(self) -> str:
        """Its id in the stream."""
        return f"{self.number}-{self.time_us}"

    @property
    def cursor(self) -> Cursor:
        """What pages are told: the epoch, the number, and of the time the lowest 24 bits."""
        return f"{self.epoch}-{self.number:011x}{self.time_us & _MARK:06x}"


NOWHERE = Place("0" * 14, 0, 0)
"""Before the first life that a node hears of."""


def number_in(cursor: Cursor, epoch: str) -> int:
    """The number of the entry of this place. Raises GapError when it is no place of this life."""
    found = _CURSOR.fullmatch(cursor)
    if found is None or found[1] != epoch:
        raise GapError(cursor)
    return int(found[2], 16)


def next_epoch(known: str) -> str:
    """The name of a new life: by the time of day, and later than the one that is known, wherever the clocks stand."""
    milliseconds = max(time.time_ns() // 1_000_000, int(known[:_EPOCH_MS_DIGITS], 16) + 1)
    return f"{milliseconds:0{_EPOCH_MS_DIGITS}x}{secrets.randbelow(4096):03x}"
