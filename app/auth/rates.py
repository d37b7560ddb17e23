"""How often an API key may ask, in this process, and how that is told (draft-ietf-httpapi-ratelimit-headers-11).

Each process counts for itself: a counter that all share would cost every request a round trip to another machine, and what is
bounded is the work of a process.
"""

from typing import Final, NamedTuple

from app.kernel.bucket import Bucket
from app.kernel.errors import RateLimited

POLICY: Final = "key"
"""Its name in the headers."""
MAX_KEYS: Final = 10_000
"""Keys that are counted at a time; past it all begin anew, so that a tool that makes keys cannot fill the memory."""


class Standing(NamedTuple):
    """Where a key stands after a request."""

    is_allowed: bool
    headers: list[tuple[bytes, bytes]]
    """`RateLimit-Policy` and `RateLimit`, for the answer."""
    refusal: str
    retry_after_s: int

    def check(self) -> None:
        """Raise RateLimited when it was one request too many."""
        if not self.is_allowed:
            raise RateLimited(self.refusal, retry_after_s=self.retry_after_s)


class Rates:
    """`per_min` requests a minute for each key, and as many at once after a pause."""

    def __init__(self, per_min: int) -> None:
        self._burst = per_min
        self._per_s = per_min / 60
        self._buckets: dict[str, Bucket] = {}
        self._policy = b"ratelimit-policy", b'"%s";q=%d;w=60' % (POLICY.encode(), per_min)
        self._refusal = (
            f"more than {per_min} requests a minute with this key (WSX_API_RATE_PER_MIN); `Retry-After` says when to go on"
        )

    def count(self, key_id: str) -> Standing:
        """One request more of this key."""
        bucket = self._buckets.get(key_id)
        if bucket is None:
            if len(self._buckets) >= MAX_KEYS:
                self._buckets.clear()
            bucket = self._buckets[key_id] = Bucket(self._burst)
        is_allowed = bucket.take(self._per_s, self._burst)
        left, one_more_in_s = bucket.left(self._per_s)
        told = b"ratelimit", b'"%s";r=%d;t=%d' % (POLICY.encode(), left, one_more_in_s)
        return Standing(is_allowed, [self._policy, told], self._refusal, one_more_in_s)
