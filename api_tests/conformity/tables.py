"""Cases as Markdown: a table by group, then every case that is not `OK`, with its reason."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from api_tests.conformity.verdict import Case, Reason, Verdict, reason_of

GROUPS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragments",
    6: "UTF-8",
    7: "closing",
    9: "large and many messages",
    10: "automatic fragments",
    12: "compression, payloads",
    13: "compression, parameters",
}


class Judged(NamedTuple):
    """A case under one limit."""

    case: Case
    verdict: Verdict


def judged(cases: Sequence[Case], max_message_bytes: int) -> list[Judged]:
    return [Judged(case, case.verdict(max_message_bytes)) for case in cases]


def is_accepted(found: Judged) -> bool:
    """Whether the case passed, or did not and it is known why."""
    return found.verdict is Verdict.OK or reason_of(*found) is not None


def table(found: Sequence[Judged]) -> str:
    """Rows are groups, columns verdicts, cells counts: one per agent, by name, or one for all where they agree."""
    agents = sorted({case.agent for case, _ in found})
    counts = Counter((case.group, verdict, case.agent) for case, verdict in found)
    shown = [verdict for verdict in Verdict if verdict in {Verdict.OK, Verdict.FAILED} or any(verdict is each for _, each in found)]
    groups = sorted({case.group for case, _ in found})
    rows = [[f"{group} {GROUPS[group]}", *_cells(counts, [group], shown, agents)] for group in groups]
    rows.append(["all", *_cells(counts, groups, shown, agents)])
    head = ["group", "cases", *(verdict.value for verdict in shown)]
    return "\n".join(_line(cells) for cells in (head, ["---"] * len(head), *rows))


def _cells(counts: Counter[tuple[int, Verdict, str]], groups: list[int], shown: list[Verdict], agents: list[str]) -> list[str]:
    columns = [
        [sum(counts[group, verdict, agent] for group in groups for verdict in verdicts) for agent in agents]
        for verdicts in (list(Verdict), *([verdict] for verdict in shown))
    ]
    return [str(column[0]) if len(set(column)) == 1 else " / ".join(map(str, column)) for column in columns]


def not_ok(found: Sequence[Judged]) -> list[str]:
    """A line for each verdict and reason, with the numbers of its cases; each once, under however many limits it was found."""
    agents_of: dict[tuple[str, Verdict, Reason | None], dict[str, None]] = {}
    for case, verdict in sorted(found, key=lambda each: each.case.place):
        if verdict is not Verdict.OK:
            agents_of.setdefault((case.number, verdict, reason_of(case, verdict)), {})[case.agent] = None
    together: dict[tuple[Verdict, Reason | None, str], list[str]] = {}
    for (number, verdict, reason), agents in agents_of.items():
        together.setdefault((verdict, reason, " and ".join(agents)), []).append(number)
    return [
        f"- {verdict.value}, {agents}: {', '.join(_runs(numbers))}. {reason.sentence if reason else 'Not explained.'}"
        for (verdict, reason, agents), numbers in together.items()
    ]


def _runs(numbers: Sequence[str]) -> list[str]:
    """`3.2, 3.3, 3.4, 5.1` as `3.2-4, 5.1`."""
    runs: list[list[str]] = []
    for number in numbers:
        group, _, last = number.rpartition(".")
        if runs and f"{group}.{int(last) - 1}" == runs[-1][-1]:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1].rpartition('.')[2]}" for run in runs]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
