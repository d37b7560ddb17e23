"""Two clocks: one for people, one for time spans."""

from datetime import UTC, datetime
from time import monotonic

__all__ = ["LAST_TIME", "monotonic", "utc_now"]

LAST_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Later times have no equal in every time zone: they are not taken."""


def utc_now() -> datetime:
    """The time of day, aware, in UTC. Never used for timers: it may jump."""
    return datetime.now(UTC)
