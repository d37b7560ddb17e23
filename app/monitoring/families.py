"""Families of samples, as Prometheus knows them, from the plain numbers that parts keep."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from app.kernel.histogram import Histogram

STEP: Final = 200
"""Samples that are rendered at once: 2 to 3 ms."""


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


class Renderer:
    """Makes text of numbers, and gives others their turn between: some thousand samples would hold the loop for 10 ms and more."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        """Each sample has these labels besides its own."""
        self._labels = labels
        self._left = STEP

    async def rendered(self, metric: Metric) -> Family:
        """The family in Prometheus's text format. What it counts is as it was when it was collected."""
        samples, head, parts = metric.samples, b"", []
        for start in range(0, len(samples) or 1, STEP):
            metric.samples = [self._labelled(sample) for sample in samples[start : start + STEP]]
            lines = generate_latest(_Only(metric)).splitlines(keepends=True)
            head = b"".join(lines[:2])
            parts.append(b"".join(lines[2:]))
            await self._rest(len(metric.samples))
        return Family(head, b"".join(parts))

    def _labelled(self, sample: Sample) -> Sample:
        return sample._replace(labels={**sample.labels, **self._labels}) if self._labels else sample

    async def _rest(self, done: int) -> None:
        self._left -= done
        if self._left <= 0:
            self._left = STEP
            await asyncio.sleep(0)
