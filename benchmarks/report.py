"""The result as Markdown: first the bars, then what every contestant did. Ratios are taken within each turn."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import HERE
from benchmarks.scenario import Bar, Figures, Scenario

README = HERE / "README.md"
BEGIN, END = "<!-- result: begin -->", "<!-- result: end -->"


class Outcome(NamedTuple):
    """A scenario and what its contestants did, turn by turn. A contestant that cannot run here has no turns, but a reason."""

    scenario: Scenario
    turns: dict[str, list[Figures]]
    missing: dict[str, str]
    failed: bool
    """Whether one is missing because it failed, and not because it is not to be had."""


def spread(values: Sequence[float], digits: int) -> str:
    """Median, least and greatest."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def compared(bar: Bar, turns: dict[str, list[Figures]]) -> list[float]:
    """What the bar looks at in each turn: the ratio or the difference to the peer, or the figure itself."""
    mine = [turn[bar.figure] for turn in turns[bar.mine]]
    if not bar.peer:
        return mine
    pairs = zip(mine, (turn[bar.figure] for turn in turns[bar.peer]), strict=True)
    return [one - other if bar.minus else one / other if other else math.inf for one, other in pairs]


def bar_row(bar: Bar, outcome: Outcome) -> tuple[str, ...]:
    wanted = f"≥ {bar.at_least:,.4g}" if bar.at_least is not None else f"≤ {bar.at_most:,.4g}"
    if any(name in outcome.missing for name in (bar.mine, bar.peer)):
        return (bar.what, "", bar.peer, "", "", wanted, "not measured")
    values = compared(bar, outcome.turns)
    median = statistics.median(values)
    reached = median >= bar.at_least if bar.at_least is not None else bar.at_most is not None and median <= bar.at_most
    mine, *peer = (
        f"{statistics.median(turn[bar.figure] for turn in outcome.turns[name]):,.{bar.digits}f}"
        for name in (bar.mine, bar.peer)
        if name
    )
    ratio = spread(values, bar.digits if bar.minus else 2) if bar.peer else ""
    return (bar.what, mine, bar.peer, *(peer or [""]), ratio, wanted, "yes" if reached else "**no**")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of which is the head, as Markdown."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|-" + "-|-".join("-" * width for width in widths) + "-|")
    return "\n".join(lines)


def bars(outcomes: Sequence[Outcome]) -> str:
    """One row for each bar."""
    head = ("what", "product", "peer", "peer's", "product / peer", "bar", "reached")
    return table([head, *(bar_row(bar, outcome) for outcome in outcomes for bar in outcome.scenario.bars)])


def details(outcome: Outcome) -> str:
    """One row for each contestant."""
    scenario = outcome.scenario
    rows = [("", *(column.title for column in scenario.columns))]
    for name, turns in outcome.turns.items():
        cells = (
            spread([turn[column.figure] for turn in turns], column.digits) if column.figure in turns[0] else ""
            for column in scenario.columns
        )
        rows.append((name, *cells))
    reasons = [f"- {name} was not measured: {reason}" for name, reason in outcome.missing.items()]
    body = table(rows) if outcome.turns else ""
    return "\n\n".join(filter(None, (f"### {scenario.title} (`{scenario.name}`)", scenario.what, body, "\n".join(reasons))))


def write_between_marks(result: str, path: Path = README) -> None:
    """Put the result into the page, between its two marks. Raises ValueError when they are not there."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        message = f"{path.name} has no place for the result: {BEGIN} and {END}"
        raise ValueError(message)
    path.write_text(f"{before}{BEGIN}\n\n{result}\n\n{END}{after}")
