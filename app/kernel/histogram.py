"""Counts by size: how often something took how long, or how much came at once. Plain numbers; who asks adds them up."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a write in this turn of the loop to what nobody waits for any more."""
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000)
"""Of what is done together: alone, up to the largest batch."""


class Histogram:
    """Half a microsecond for each value. Not safe to share between threads."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: the upper ends of the buckets, rising; each counts for its own bucket. The last bucket has no end."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Values in each bucket, not in those below it."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
