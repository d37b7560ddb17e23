"""Samples as lines: points of an SVG whose picture is `WIDTH` by `HEIGHT`, whatever size it is shown in."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from app.features.console_charts.samples import KEPT, Sample

WIDTH: Final = 480
HEIGHT: Final = 120

KIB: Final = 1_024
MIB: Final = KIB * KIB


class Chart(NamedTuple):
    """One line over the last two minutes, the newest at the right."""

    title: str
    now: str
    """The newest value, with its unit."""
    top: str
    """The value at the upper edge."""
    line: str
    """`x,y x,y …`."""
    area: str
    """The same, closed along the lower edge."""
    note: str


def charts(samples: Sequence[Sample]) -> list[Chart]:
    """All charts; none before the first sample."""
    if not samples:
        return []
    newest = samples[-1]
    return [
        _chart(
            "Throughput",
            [one.updates_per_s for one in samples],
            _per_s,
            f"updates to pages of this node; {newest.publications_per_s:,.0f} publications a second",
        ),
        _chart("Latency", [one.late_ms for one in samples], _ms, "how late the event loop was at worst"),
        _chart(
            "Queue depth",
            [one.held_bytes for one in samples],
            _bytes,
            f"held for pages that take nothing; {newest.waiting:,} broadcasts and pages wait their turn",
        ),
        _chart("Memory", [one.memory_bytes for one in samples], _bytes, f"of this process; {newest.connections:,} connections"),
    ]


def _chart(title: str, values: Sequence[float], written: Callable[[float], str], note: str) -> Chart:
    highest = max(values)
    unit = 1 if written is not _bytes else MIB if highest >= MIB else KIB
    top = _top(highest / unit) * unit
    step = WIDTH / (KEPT - 1)
    first = KEPT - len(values)
    points = [(round((first + place) * step, 1), round(HEIGHT * (1 - value / top), 1)) for place, value in enumerate(values)]
    line = " ".join(f"{x},{y}" for x, y in points)
    area = f"{points[0][0]},{HEIGHT} {line} {WIDTH},{HEIGHT}"
    return Chart(title, written(values[-1]), written(top), line, area, note)


def _top(highest: float) -> float:
    """The next of 1, 2, 5, 10, 20 … above: a scale that does not jump with every sample."""
    top = 1.0
    while True:
        for factor in (1, 2, 5):
            if highest <= top * factor:
                return top * factor
        top *= 10


def _per_s(value: float) -> str:
    return f"{value:,.0f}/s"


def _ms(value: float) -> str:
    return f"{value:,.1f} ms"


def _bytes(value: float) -> str:
    if value >= MIB:
        return f"{value / MIB:,.1f} MiB"
    return f"{value / KIB:,.1f} KiB" if value >= KIB else f"{value:.0f} B"
