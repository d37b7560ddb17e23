"""The command: every bar beside its peer. Contestants of a scenario run one right after the other, in another order each turn."""

import argparse
import secrets
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report
from benchmarks.kept import keep, recall
from benchmarks.machine import HERE, choose_cores, description, fail, raise_file_limit
from benchmarks.report import Outcome
from benchmarks.scenario import Bench, Contestant, Failed, Figures, Scenario, Unavailable
from benchmarks.scenarios import ALL

MAX_SOCKETS = 10_100


def _turns(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"a whole number from 1 is wanted, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _checkout(text: str) -> Path:
    folder = Path(text)
    if not (folder / "app" / "settings.py").exists():
        message = f"{text} is no checkout of this project: it has no app/settings.py"
        raise argparse.ArgumentTypeError(message)
    return folder


def read_options() -> argparse.Namespace:
    names = [scenario.name for scenario in ALL]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure every bar beside its peer.")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"only these scenarios, of: {', '.join(names)}")
    parser.add_argument("--runs", type=_turns, default=5, help="turns of each scenario (5)")
    parser.add_argument("--alone", action="store_true", help="without peers: only the product")
    parser.add_argument("--app", type=_checkout, default=HERE.parent, metavar="FOLDER", help="the checkout to measure (this one)")
    parser.add_argument("--before", type=_checkout, metavar="FOLDER", help="another checkout to measure in the same turns")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures of all turns there")
    parser.add_argument("--recall", type=Path, nargs="+", metavar="FILE", help="measure nothing: report what such files hold")
    parser.add_argument("--write", action="store_true", help="put the result into README.md")
    return parser.parse_args()


def contestants_of(scenario: Scenario, options: argparse.Namespace) -> list[Contestant]:
    """Those of the scenario; with another checkout, that one too, wherever the product takes part."""
    chosen = []
    for one in scenario.contestants:
        if one.server == "product" or not options.alone:
            chosen.append(one)
        if one.server == "product" and options.before is not None:
            chosen.append(one._replace(name=one.name.replace("product", "before"), server="before"))
    return chosen


def take_turns(scenario: Scenario, bench: Bench, options: argparse.Namespace) -> Outcome:
    """All turns. Each turn begins with the next contestant, so that none always has the warm or the cold place."""
    contestants = contestants_of(scenario, options)
    turns: dict[str, list[Figures]] = {one.name: [] for one in contestants}
    missing = {one.name: "left out" for one in scenario.contestants if one not in contestants}
    failed = False
    for number in range(options.runs):
        first = number % len(contestants)
        for one in contestants[first:] + contestants[:first]:
            if one.name in missing:
                continue
            try:
                figures = one.run(bench, one.server)
            except Unavailable as reason:
                missing[one.name] = str(reason)
                failed |= isinstance(reason, Failed)
                print(f"  {number + 1}/{options.runs} {one.name}: {missing[one.name]}", file=sys.stderr, flush=True)
                continue
            turns[one.name].append(figures)
            figure = scenario.columns[0]
            value = f"{figures[figure.figure]:,.{figure.digits}f} {figure.title}"
            print(f"  {number + 1}/{options.runs} {one.name}: {value}", file=sys.stderr, flush=True)
    return Outcome(scenario, {name: taken for name, taken in turns.items() if name not in missing}, missing, failed)


def conditions(outcomes: Sequence[Outcome], *, in_parts: bool) -> str:
    """When, on what and with what it was measured, as a Markdown list."""
    command = shlex.join((".venv/bin/python", "-m", "benchmarks", *(() if in_parts else sys.argv[1:])))
    counts = sorted({len(turns) for outcome in outcomes for turns in outcome.turns.values()})
    said = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        **description(),
        "turns": f"{' to '.join(map(str, counts[:1] + counts[1:][-1:]))}, of each contestant once" if counts else "none",
        "settings": "the product's defaults, SQLite",
        "command": f"`{command}`{', scenario by scenario' if in_parts else ''}",
    }
    return "\n".join(f"- {what}: {text}" for what, text in said.items())


def measure(options: argparse.Namespace, folder: Path) -> list[Outcome]:
    bench = Bench(
        folder,
        choose_cores(),
        options.app.resolve(),
        options.before and options.before.resolve(),
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(32),
    )
    outcomes = []
    for scenario in ALL:
        if scenario.name in options.only if options.only else not scenario.is_long:
            print(f"{scenario.name}: {scenario.title}", file=sys.stderr, flush=True)
            outcomes.append(take_turns(scenario, bench, options))
    return outcomes


def main() -> None:
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by way of `finally`: no server is left behind
    raise_file_limit(MAX_SOCKETS)
    if options.recall:
        try:
            outcomes = recall(options.recall)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            fail(f"--recall: these are not files that --json wrote: {error}")
    else:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
            outcomes = measure(options, Path(name))
    parts = (
        conditions(outcomes, in_parts=bool(options.recall)),
        "## Bars",
        report.bars(outcomes),
        "## Figures",
        *map(report.details, outcomes),
    )
    result = "\n\n".join(parts)
    print(result)
    if options.json:
        keep(outcomes, options.json)
    if options.write:
        try:
            report.write_between_marks(result)
        except ValueError as error:
            fail(str(error))
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
