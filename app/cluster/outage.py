"""One line in the log when Redis is away, and one when it is back, however often it is tried in between."""

import structlog

_log = structlog.get_logger()


class Outage:
    """Of one piece of work that needs Redis."""

    def __init__(self, what: str) -> None:
        """`what`: the name of the work, for the log."""
        self.what = what
        self._lasts = False

    def noticed(self, error: Exception) -> None:
        """The work could not be done."""
        if not self._lasts:
            _log.warning("Redis is away", what=self.what, error=str(error) or type(error).__name__)
        self._lasts = True

    def is_over(self) -> None:
        """The work was done."""
        if self._lasts:
            _log.info("Redis is back", what=self.what)
        self._lasts = False
