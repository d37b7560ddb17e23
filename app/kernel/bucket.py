"""How fast somebody may ask: a token bucket."""

from collections import OrderedDict
from math import ceil

from app.kernel.clock import monotonic


class Bucket:
    """Holds at most `burst` tokens and gains `per_s` a second; a message takes one."""

    __slots__ = ("_at", "_tokens", "refused_in_a_row")

    def __init__(self, burst: int) -> None:
        self._tokens = float(burst)
        self._at = monotonic()
        self.refused_in_a_row = 0

    def take(self, per_s: float, burst: int) -> bool:
        """Whether one more message is allowed now."""
        now = monotonic()
        self._tokens = min(burst, self._tokens + (now - self._at) * per_s)
        self._at = now
        if self._tokens < 1:
            self.refused_in_a_row += 1
            return False
        self._tokens -= 1
        self.refused_in_a_row = 0
        return True

    def is_empty(self, per_s: float, burst: int) -> bool:
        """Whether one more message would be refused now."""
        return min(burst, self._tokens + (monotonic() - self._at) * per_s) < 1

    def left(self, per_s: float) -> tuple[int, int]:
        """How many more were allowed when the last one asked, and in how many whole seconds it would be one more than that."""
        whole = int(self._tokens)
        return whole, ceil((whole + 1 - self._tokens) / per_s)


class Buckets:
    """One bucket for each name, all of one `burst`; past `at_most` the one that was not taken from for longest is forgotten."""

    def __init__(self, burst: int, at_most: int) -> None:
        self._burst = burst
        self._at_most = at_most
        self._by_name: OrderedDict[str, Bucket] = OrderedDict()

    def to_take_from(self, name: str) -> Bucket:
        """The bucket of this name: a full one where there is none."""
        bucket = self._by_name.get(name)
        if bucket is None:
            bucket = self._by_name[name] = Bucket(self._burst)
            if len(self._by_name) > self._at_most:
                self._by_name.popitem(last=False)
        else:
            self._by_name.move_to_end(name)
        return bucket

    def find(self, name: str) -> Bucket | None:
        """The bucket of this name, where it is remembered."""
        return self._by_name.get(name)
