"""How fast somebody may ask: a token bucket."""

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

    def left(self, per_s: float) -> tuple[int, int]:
        """How many more were allowed when the last one asked, and in how many whole seconds it would be one more than that."""
        whole = int(self._tokens)
        return whole, ceil((whole + 1 - self._tokens) / per_s)
