"""The time of day, set forward by tests: no test hopes to be quicker than a moment, and none waits for one."""

from datetime import datetime, timedelta, tzinfo


class Clock:
    """Stands where the product reads the time of day. It also goes on by itself."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self, zone: tzinfo) -> datetime:
        """The time of day, as `datetime.now` tells it."""
        return datetime.now(zone) + self._ahead

    def skip(self, seconds: float) -> None:
        """Set it forward. The connections' tokens last for an hour."""
        self._ahead += timedelta(seconds=seconds)
