"""The rows of `benchmarks/reliability.md`: what each fault was, what it must not cost, and what it cost when it was last measured.

A row is written by the test that measured it, also when one of its bars was broken. What is not measured anew stays as it is, with
its date.
"""

import os
import platform
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "benchmarks" / "reliability.md"
HEAD = """# What was measured of what must survive

Written by `make faults`, `make abuse` and `make soak`, a row by each test. Where a bar was broken, the row says in how many
runs. What is not measured anew keeps its row, and its date. Of several runs the smallest and the largest figure stand there.
What each fault is: [docs/faults.md](../docs/faults.md), [docs/limits.md](../docs/limits.md). How the socket keeps
to its protocol: [docs/conformity.md](../docs/conformity.md). A fault without a row was not measured in its long form yet.

| row | fault | bar | figures | runs: seeds | command | date, versions |
|---|---|---|---|---|---|---|
"""
SERVERS = {"PostgreSQL": "postgres", "Redis": "redis-server"}
SERVER_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/local/bin", "usr/bin")
_LINE = re.compile(r"^\| (?P<row>[^| ]+) \|.*\|$", re.MULTILINE)


class Row(NamedTuple):
    """What stands in the table before anything is measured."""

    fault: str
    bar: str
    command: str

    @property
    def form(self) -> str:
        """The variable that asks for its long form."""
        return "SOAK_S" if self.command == SOAK else self.command.strip("`").partition("=")[0]


SOAK = "`make soak`"


def long_forms() -> Collection[str]:
    """The variables that ask for a long form now."""
    asked = {name for name in ("FAULTS", "ABUSE") if os.environ.get(name) == "long"}
    return asked | ({"SOAK_S"} if float(os.environ.get("SOAK_S", "0")) > 0 else set())


_FLOODS = "`ABUSE=long .venv/bin/pytest api_tests/abuse/test_floods.py`"


def _faults(name: str) -> str:
    return f"`FAULTS=long .venv/bin/pytest api_tests/faults/test_{name}.py`"


NONE_WRONG = "none lost, missing, twice, out of order, or shown to others"
FLOOD = "bounded memory, nobody disturbed, p99 of others + 25 ms at most"
FLOODS = {
    "pings": "50 send pings, and read no answer",
    "messages": "10 send messages without end",
    "rooms": "10 join 10,000 rooms each",
    "handshakes": "10 sign in, and go at once, again and again",
    "half_handshakes": "1,000 begin a request and do not end it",
    "nasty_frames": "10 break the protocol",
    "heads": "10 send heads without end",
    "stalled": "100 hear broadcasts of 16 KiB and read none",
    "downloads": "100 ask nine times for 1.5 MB and read none",
}
ROWS = {
    "R1": Row("a node is killed while all talk", f"{NONE_WRONG}; back in 5 s (p99)", _faults("node_killed")),
    "R2": Row("all nodes are killed while all talk", f"{NONE_WRONG}; ready in 5 s", _faults("all_killed")),
    "R3": Row(
        "a node with 5,000 pages is replaced",
        "a slot for each, then 1012; no 5xx; stopped in 15 s, all back in 15 s; loop held 20 ms at most",
        _faults("deploy"),
    ),
    "R4": Row("Redis is killed for 30 s, back empty", f"{NONE_WRONG}; all pushed 5 s after", _faults("redis_away")),
    "R5": Row(
        "Redis stands still for 20 s", f"{NONE_WRONG}; REST answers in 4 s (p99), ready says degraded", _faults("redis_away")
    ),
    "R6": Row(
        "16 write into one room by 2 nodes, commits are held up by chance", "0 skipped, from every cursor", _faults("late_commits")
    ),
    "R7": Row("a node is cut off from Redis for 30 s", f"{NONE_WRONG}; presence right in 60 s", _faults("node_cut_off")),
    "R8": Row("1,000 pages vanish without a word", "sockets gone, users offline in 60 s; memory back", _faults("vanished")),
    "R9-50": Row("50 pages never read", "gone in 60 s, in process and kernel; others' p99 + 20 % or 1 ms", _faults("never_read")),
    "R9-2000": Row(
        "2,000 pages never read", "gone in 60 s, in process and kernel; others' p99 + 20 % or 1 ms", _faults("never_read")
    ),
    "R10": Row("the clock jumps an hour, on and back", f"{NONE_WRONG}; no page closed", _faults("clock_jumps")),
    "D1": Row("power cut, 50 times", "0 acknowledged lost, database whole", _faults("power_cut")),
    "D2": Row("disk full", "503 or 507, none lost, sockets live on, well 5 s after", _faults("disk_full")),
    "D3": Row(
        "another process locks the database for 30 s", "loop held 50 ms at most (p99); 503 with Retry-After", _faults("locked")
    ),
    "D4": Row("PostgreSQL is killed, and restarted", "well in 10 s; each call under a key once", _faults("postgresql_away")),
    **{f"A-{name}": Row(what, FLOOD, _FLOODS) for name, what in FLOODS.items()},
    "soak": Row("2,000 sockets, 20 leave and come a second, 50 publications a second", "memory and descriptors flat", SOAK),
}


class Figures:
    """What this run measured, until it is written."""

    def __init__(self) -> None:
        self._measured: dict[str, dict[str, list[str | float]]] = {}
        self._broken = Counter[str]()

    @contextmanager
    def bars(self, row: str, **known: str | float) -> Iterator[dict[str, str | float]]:
        """Note one run of a row: what is `known` before, as its seed, and the figures that the block puts in, each with its unit.

        A block that fails has broken a bar, also where it only waited in vain. What it had not measured by then is not noted.
        """
        figures = dict(known)
        try:
            yield figures
        except Exception:
            self._broken[row] += 1
            self._note(row, figures)
            raise
        self._note(row, figures)

    def _note(self, row: str, figures: dict[str, str | float]) -> None:
        noted = self._measured.setdefault(row, {})
        for name, figure in figures.items():
            noted.setdefault(name, []).append(figure)

    def write(self, forms: Collection[str], page: Path = PAGE) -> None:
        """Put the rows whose long form ran into the page, in the order of the table. `forms`: as `long_forms()`."""
        measured = {row: figures for row, figures in self._measured.items() if forms and ROWS[row].form in forms}
        if not measured:
            return
        lines = {found["row"]: found[0] for found in _LINE.finditer(page.read_text())} if page.exists() else {}
        lines |= {row: _line(row, figures, self._broken[row]) for row, figures in measured.items()}
        page.write_text(HEAD + "".join(f"{lines[row]}\n" for row in ROWS if row in lines))


def _line(row: str, figures: dict[str, list[str | float]], broken: int) -> str:
    told, seeds = ROWS[row], figures.get("seed", [])
    cell = "; ".join(f"{name} {_range(values)}" for name, values in figures.items() if name != "seed")
    runs = f"{len(seeds)}: {_range(seeds)}" if seeds else "1"
    runs += f"; **a bar was broken in {broken}**" if broken else ""
    when = f"{datetime.now(UTC):%Y-%m-%d}; {versions()}"
    return f"| {row} | {told.fault} | {told.bar} | {cell} | {runs} | {told.command} | {when} |"


def _range(values: list[str | float]) -> str:
    """One figure, or the smallest and the largest."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return ", ".join(dict.fromkeys(map(str, values)))
    low, high = f"{_rounded(min(numbers)):,}", f"{_rounded(max(numbers)):,}"
    return low if low == high else f"{low} to {high}"


def _rounded(value: float) -> float:
    """Three digits are enough of what was measured; what was counted is whole."""
    return value if isinstance(value, int) else float(f"{value:.3g}")


def versions() -> str:
    """Of what ran."""
    packages = [f"{name} {version(name)}" for name in ("wsx-server", "uvicorn", "uvloop")]
    system = ".".join(platform.release().split(".")[:2])
    own = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}", f"Linux {system}"]
    return ", ".join([*packages, *own, *(told for name, program in SERVERS.items() if (told := _version(name, program)))])


def _version(name: str, program: str) -> str:
    """Of a server; empty: it is not here."""
    path = next((str(found) for folder in SERVER_FOLDERS for found in sorted(Path("/").glob(f"{folder}/{program}"))), None)
    said = subprocess.run((path, "--version"), capture_output=True, text=True, check=False).stdout if path else ""
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return f"{name} {found[0]}" if found else ""
