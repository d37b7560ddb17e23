"""How long publications take until they are written: from `publish` on, where they were published here.

Pages that take nothing at the moment are not waited for: what waits for them is told as bytes, and they are closed in time.
"""

from app.hub.rounds import Timing
from app.kernel.histogram import SECONDS, Histogram


class Latency:
    """Two histograms, in seconds."""

    def __init__(self) -> None:
        self.here = Histogram(SECONDS)
        """Of what was published on this node: with its way through the journal."""
        self.elsewhere = Histogram(SECONDS)
        """Of what came from other nodes: since it came. How late it came is the journal's lag."""
        self.began: dict[str, float] = {}
        """When what is on its way through the journal was published here, by its id."""

    def timing(self, publication_id: str, came_at: float) -> Timing:
        """The time that is being taken of what came from the journal."""
        since = self.began.get(publication_id)
        return Timing(came_at, self.elsewhere) if since is None else Timing(since, self.here)
