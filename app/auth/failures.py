"""Keys that are none of ours, by the address that sent them: who guesses is slowed down, and costs no more look-ups.

A good key is never refused for what others of its address do: behind one proxy all have the same. While an address is over its
limit, only ids that there are are looked up for it: see `app.auth.known_ids`.
"""

from typing import Final

from app.kernel.addresses import network_of
from app.kernel.bucket import Buckets
from app.kernel.errors import RateLimited

MAX_ADDRESSES: Final = 10_000
"""Addresses that are remembered; past it the one that failed least recently is forgotten."""


class Failures:
    """Counts failed tries: `per_min` of each address, and as many at once."""

    def __init__(self, per_min: int) -> None:
        self._burst = per_min
        self._per_s = per_min / 60
        self._buckets = Buckets(per_min, MAX_ADDRESSES)
        self.were_there = False
        """Whether any address ever failed: while none did, no request asks about its own."""

    def failed(self, address: str) -> None:
        """Count a failed try. Raises RateLimited when it was one too many."""
        self.were_there = True
        bucket = self._buckets.to_take_from(network_of(address))
        if not bucket.take(self._per_s, self._burst):
            message = (
                f"more than {self._burst} tries a minute with keys or cookies that are none, from this address "
                "(WSX_API_RATE_PER_MIN); a valid key is let in, one that was just made after a second"
            )
            raise RateLimited(message, retry_after_s=bucket.left(self._per_s)[1])

    def is_over(self, address: str) -> bool:
        """Whether the next failed try of this address would be one too many."""
        bucket = self._buckets.find(network_of(address))
        return bucket is not None and bucket.is_empty(self._per_s, self._burst)
