"""How long publications take until they are written: from `publish` on, where they were published here.

Pages that take nothing at the moment are not waited for: what waits for them is told as bytes, and they are closed in time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from app.hub.rounds import Timing
from app.kernel.clock import monotonic
from app.kernel.histogram import SECONDS, Histogram
from app.kernel.span import NO_SPAN, Span


class Latency:
    """Two histograms, in seconds."""

    def __init__(self) -> None:
        self.here = Histogram(SECONDS)
        """Of what was published on this node: with its way through the journal."""
        self.elsewhere = Histogram(SECONDS)
        """Of what came from other nodes: since it came. How late it came is the journal's lag."""
        self.span: Span = NO_SPAN
        """Set by whoever traces."""
        self._published: dict[str, float] = {}

    @contextmanager
    def of_published(self, publication_id: str) -> Iterator[None]:
        """Its time begins now; in the block it comes back from the journal."""
        self._published[publication_id] = monotonic()
        try:
            with self.span("publish"):
                yield
        finally:
            self._published.pop(publication_id, None)

    def came(self, publication_id: str) -> Timing:
        """It is to be delivered now: the time that is being taken of it."""
        since = self._published.get(publication_id)
        return Timing(monotonic(), self.elsewhere) if since is None else Timing(since, self.here)
