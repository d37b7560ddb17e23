"""Figures in files, so that a long measurement can be taken in parts and reported as one."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Outcome
from benchmarks.scenarios import ALL


def keep(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write all figures of all turns."""
    turns = {outcome.scenario.name: outcome.turns for outcome in outcomes}
    path.write_text(json.dumps(turns, indent=1) + "\n")


def recall(paths: Sequence[Path]) -> list[Outcome]:
    """The outcomes of the scenarios that the files tell of; the turns of later files are added to those of earlier ones."""
    outcomes = {scenario.name: Outcome(scenario, {}, {}, failed=False) for scenario in ALL}
    for path in paths:
        for name, contestants in json.loads(path.read_text()).items():
            for contestant, turns in contestants.items():
                outcomes[name].turns.setdefault(contestant, []).extend(turns)
    told = [outcome for outcome in outcomes.values() if outcome.turns]
    for scenario, turns, missing, _ in told:
        missing |= {one.name: "left out" for one in scenario.contestants if one.name not in turns}
    return told
