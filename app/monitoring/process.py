"""The process itself: which version it is, and how late its event loop is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.kernel.clock import monotonic
from app.kernel.histogram import SECONDS, Histogram
from app.monitoring.families import add_histogram

PROBE_S: Final = 0.1
"""Seconds between two looks at how late the loop is: ten wakings a second, 0.02 % of a core."""
MAX_MISSED: Final = 600
"""Looks that are made up for at most, those of a minute: a process that was stopped for a day goes on at once."""


class LoopLag:
    """By how much the event loop is late: what each message, write and request has to wait at least.

    A loop that was held has missed looks. Each counts with what it would have seen: so a share of the looks is one of the time.
    """

    def __init__(self) -> None:
        self.seconds = Histogram(SECONDS)
        self._probe: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look, while the block runs."""
        self._probe_again(monotonic())
        try:
            yield
        finally:
            if self._probe is not None:
                self._probe.cancel()

    def _probe_again(self, now: float) -> None:
        self._probe = asyncio.get_running_loop().call_later(PROBE_S, self._probed, now + PROBE_S)

    def _probed(self, due: float) -> None:
        now = monotonic()
        late = max(0.0, now - due)
        self.seconds.observe(late)
        for missed in range(1, min(int(late / PROBE_S), MAX_MISSED) + 1):
            self.seconds.observe(late - missed * PROBE_S)
        self._probe_again(now)


class ProcessCollector(Collector):
    """Reads what is known when it is asked for."""

    def __init__(self, version: str, lag: LoopLag) -> None:
        self._version = version
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        info = GaugeMetricFamily("wsx_info", "1, with the version of this server", labels=["version"])
        info.add_metric([self._version], 1)
        late = "Seconds by which the event loop was late, looked at ten times a second; what it missed while it was held counts"
        lag = HistogramMetricFamily("wsx_event_loop_lag_seconds", late)
        add_histogram(lag, (), self._lag.seconds)
        yield from (info, lag)
