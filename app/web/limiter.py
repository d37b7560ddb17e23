"""How fast one page may talk: a token bucket."""

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
