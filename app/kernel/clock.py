"""Two clocks: one for people, one for time spans."""

from datetime import UTC, datetime
from time import monotonic

__all__ = ["monotonic", "utc_now"]


def utc_now() -> datetime:
    """The time of day, aware, in UTC. Never used for timers: it may jump."""
    return datetime.now(UTC)
