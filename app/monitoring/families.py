"""Families of samples, as Prometheus knows them, from the plain numbers that parts keep."""

from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from app.kernel.histogram import Histogram


def add_histogram(family: HistogramMetricFamily, labels: Iterable[str], histogram: Histogram) -> None:
    """Put the numbers of one histogram into its family, under these values of the family's labels."""
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    family.add_metric([*labels], [*zip(bounds, accumulate(histogram.counts), strict=True)], histogram.sum)


class Family(NamedTuple):
    """One family as text, in two parts: what it is, and its samples. So those of several workers can be put together."""

    head: bytes
    samples: bytes


class _Only(Collector):
    """A collector of one family: the library writes collectors only."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


def rendered(metric: Metric, labels: dict[str, str]) -> Family:
    """The family in Prometheus's text format; each sample has these labels besides its own."""
    if labels:
        metric.samples = [sample._replace(labels={**sample.labels, **labels}) for sample in metric.samples]
    lines = generate_latest(_Only(metric)).splitlines(keepends=True)
    return Family(b"".join(lines[:2]), b"".join(lines[2:]))
