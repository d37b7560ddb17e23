"""What is asked and how it is answered: by HTTP, and by pages over their sockets."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.kernel.histogram import SECONDS, Histogram
from app.monitoring.families import add_histogram

OTHER: Final = "other"
"""The route of what has none, and the method that nobody knows: what strangers make up must not become labels."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class PageRequests(Collector):
    """What pages ask by their sockets, by how it ends."""

    def __init__(self, outcomes: Iterable[str]) -> None:
        """`outcomes`: all that there are."""
        self.outcomes: Counter[str] = Counter(dict.fromkeys(outcomes, 0))
        """For whoever answers pages to count in."""

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        asked = CounterMetricFamily("wsx_page_requests", "What pages asked for, by how it ended", labels=["outcome"])
        for outcome, count in self.outcomes.items():
            asked.add_metric([outcome], count)
        yield asked


class Requests(Collector):
    """Those that were answered, handshakes among them: 101 is a socket that was opened.

    A stream of events counts when it ends, and how long that took is not its answer's time.
    """

    def __init__(self) -> None:
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[tuple[str, str], Histogram] = {}

    def count(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One more. `route`: with the names of parameters, not their values; empty: there is none."""
        method, route = method if method in _METHODS else OTHER, route or OTHER
        self._answered[method, route, status] += 1
        if seconds is not None:
            histogram = self._seconds.get((method, route))
            if histogram is None:
                histogram = self._seconds[method, route] = Histogram(SECONDS)
            histogram.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        answered = CounterMetricFamily(
            "wsx_http_requests", "HTTP requests that were answered", labels=["method", "route", "status"]
        )
        for (method, route, status), count in self._answered.items():
            answered.add_metric([method, route, str(status)], count)
        seconds = HistogramMetricFamily("wsx_http_request_seconds", "Seconds until the answer", labels=["method", "route"])
        for labels, histogram in self._seconds.items():
            add_histogram(seconds, labels, histogram)
        yield from (answered, seconds)
