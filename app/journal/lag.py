"""How far this node is behind the journal, by the clock of Redis."""

import structlog

from app.kernel.clock import monotonic

MAX_LAG_S = 1.0
"""Seconds behind from which on it is worth a line in the log: people notice."""

_log = structlog.get_logger()


class Lag:
    """Knows what time it is in Redis, and since when the next entry waits to be delivered here."""

    def __init__(self) -> None:
        self._ahead_us = 0
        """Redis's clock minus ours."""
        self._heard_at = monotonic()
        self._waits_since_us: int | None = None
        self._is_told = False

    def heard(self, redis_us: int) -> None:
        """Redis has just said what time it is."""
        self._heard_at = monotonic()
        self._ahead_us = redis_us - int(self._heard_at * 1_000_000)

    def now_us(self) -> int:
        """What time it is there: what it said last, and what has passed since."""
        return self._ahead_us + int(monotonic() * 1_000_000)

    def at(self, redis_us: int) -> float:
        """When it was this time there, by our clock for time spans."""
        return (redis_us - self._ahead_us) / 1_000_000

    def waits(self, since_us: int) -> None:
        """The next entry for this node is of this time."""
        self._waits_since_us = since_us

    def check(self) -> None:
        """It is about to be delivered: say so when that is late."""
        if self.is_long() and not self._is_told:
            self._is_told = True
            _log.warning("the journal lags", seconds=round(self.seconds, 3))

    def nothing_waits(self) -> None:
        """All that is known to be in the journal was delivered."""
        self._waits_since_us = None
        if self._is_told:
            self._is_told = False
            _log.info("the journal lags no more")

    def is_long(self) -> bool:
        """Whether people notice."""
        return self.seconds > MAX_LAG_S

    @property
    def seconds(self) -> float:
        """How old the next entry is."""
        return 0.0 if self._waits_since_us is None else max(0.0, (self.now_us() - self._waits_since_us) / 1_000_000)

    @property
    def silence_s(self) -> float:
        """How long Redis has not been heard of."""
        return monotonic() - self._heard_at
