"""Whether this node reaches the database, and for how long it has not: what readiness and other nodes are told."""

import structlog

from app.db.session import Database
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable

WATCH_EVERY_S = 5.0
"""Seconds between two looks of a node that others may ask about it."""

_log = structlog.get_logger()


class Watch:
    """Known from the last look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._away_since: float | None = None

    @property
    def is_there(self) -> bool:
        """Whether the database answered."""
        return self._away_since is None

    @property
    def away_s(self) -> float:
        """Seconds for which no look found it; 0: the last one did."""
        return 0.0 if self._away_since is None else monotonic() - self._away_since

    async def look(self) -> bool:
        """Ask the database; returns whether it answers."""
        began = monotonic()
        try:
            await self._database.check()
        except Unavailable:
            self._is_away(began)
        except Exception:  # whatever it says, such as that the password is another one, nothing can be had from it
            if self.is_there:
                _log.exception("the database refuses to be asked")
            self._is_away(began)
        else:
            self._away_since = None
        return self.is_there

    def _is_away(self, since: float) -> None:
        if self._away_since is None:
            self._away_since = since
