"""Runs Autobahn's fuzzing client against our socket layer, and says how each group of its cases went. `make autobahn`.

The server is the shipped one (`make_server`, uvloop, the settings of `Settings()`); an echo takes the application's place, because
the fuzzer wants its messages back. Once more with the limit raised to the largest message that Autobahn has.
"""

import argparse
import asyncio
import json
import platform
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import uvloop

from api_tests.conformity.echo import ATTACHED, DETACHED, echo
from api_tests.conformity.tables import Judged, is_accepted, judged, not_ok, table
from api_tests.conformity.verdict import read_cases
from api_tests.waiting import eventually
from app.serving.run import listen, make_server
from app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
REPORTS = ROOT / ".build/autobahn"
PAGE = ROOT / "docs/conformity.md"
BEGIN, END = "<!-- result: begin -->", "<!-- result: end -->"
CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*")
LIMITS = {"shipped": Settings().max_message_bytes, "raised": 16 * 2**20}
RUN_WITHIN_S = 1_800.0
NEVER_S = 86_400.0
"""Between two pings of ours. The fuzzer answers them at once, also in the middle of a frame that it sends in pieces: so it breaks
the rules itself, and the case fails."""


def fail(why: str) -> NoReturn:
    sys.stderr.write(f"autobahn: {why}\n")
    raise SystemExit(2)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """The echo on the shipped server; gives its port."""
    listener = listen(settings)
    server = make_server(echo, settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running


def folder_of(limit: str, pattern: str) -> Path:
    """Where the reports of these cases are."""
    return REPORTS / limit / pattern.replace("*", "x")


async def fuzz(wstest: str, port: int, pattern: str, folder: Path) -> None:
    """One run of the fuzzing client. Its reports, also as HTML, replace those of the run before."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*_case_*"):
        stale.unlink()
    agents = [{"agent": path.strip("/"), "url": f"ws://127.0.0.1:{port}{path}"} for path in (ATTACHED, DETACHED)]
    spec = {"outdir": str(folder), "servers": agents, "cases": [pattern], "exclude-cases": [], "exclude-agent-cases": {}}
    (folder / "spec.json").write_text(json.dumps(spec))
    with (folder / "wstest.log").open("wb") as log:
        command = (wstest, "--mode", "fuzzingclient", "--spec", str(folder / "spec.json"))
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            async with asyncio.timeout(RUN_WITHIN_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    if not any(folder.glob("*_case_*.json")):
        fail(f"no report of {pattern}; {folder / 'wstest.log'} says why")


async def run(wstest: str, limits: Sequence[str], patterns: Sequence[str]) -> None:
    for limit in limits:
        async with serving(Settings(port=0, max_message_bytes=LIMITS[limit], ping_interval_s=NEVER_S)) as port:
            for pattern in patterns:
                say(f"{limit} settings, cases {pattern}")
                await fuzz(wstest, port, pattern, folder_of(limit, pattern))


def version_of(wstest: str) -> str:
    """Autobahn's own words on its version."""
    try:
        answer = subprocess.run([wstest, "--autobahnversion"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        fail(
            f"{wstest!r} does not run. The fuzzing client needs Python 2.7 with the package autobahntestsuite 25.10.1; "
            "then say where it is: make autobahn WSTEST=path/to/wstest"
        )
    return ", ".join(answer.stdout.split("\n")).strip(", ")


def folders(limit: str, patterns: Sequence[str]) -> list[Path]:
    """Where reports are: of these cases, or of all, those of the last run last."""
    if patterns:
        return [folder_of(limit, pattern) for pattern in patterns]
    specs = sorted((REPORTS / limit).glob("*/spec.json"), key=lambda spec: spec.stat().st_mtime)
    return [spec.parent for spec in specs]


def result(wstest: str, limits: Sequence[str], patterns: Sequence[str]) -> tuple[str, bool]:
    """The result as Markdown, and whether every case was passed or is explained."""
    versions = [f"{name} {version(name)}" for name in ("wsx-server", "uvicorn", "uvloop", "httptools")]
    parts = [
        f"- date: {datetime.now(UTC):%Y-%m-%d}",
        f"- versions: Python {platform.python_version()}, {', '.join(versions)}",
        f"- fuzzer: {version_of(wstest)}\n",
    ]
    everything: list[Judged] = []
    for limit in limits:
        cases = read_cases(folders(limit, patterns))
        if not cases:
            fail(f"there is no report of the {limit} settings yet: run without --report first")
        found = judged(cases, LIMITS[limit])
        everything += found
        parts += [f"**{limit.capitalize()} settings**: messages up to {LIMITS[limit]:,} bytes\n", table(found), ""]
    return "\n".join([*parts, *not_ok(everything)]).strip(), all(is_accepted(each) for each in everything)


def write(text: str) -> None:
    """Put the result into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"Autobahn's numbers, one run of the fuzzer each; default: {' '.join(CASES)}")
    parser.add_argument("--wstest", default="wstest", help="the fuzzing client's program")
    parser.add_argument("--limit", choices=LIMITS, action="append", help="default: both")
    parser.add_argument("--report", action="store_true", help="run nothing: tabulate what earlier runs have left")
    parser.add_argument("--write", action="store_true", help=f"also rewrite the result in docs/{PAGE.name}")
    return parser.parse_args()


def main() -> int:
    asked = options()
    limits = asked.limit or list(LIMITS)
    version_of(asked.wstest)
    cases = asked.cases if asked.cases or asked.report else CASES
    if not asked.report:
        uvloop.run(run(asked.wstest, limits, cases))
    text, accepted = result(asked.wstest, limits, cases)
    say(f"\n{text}")
    if asked.write:
        write(text)
    return 0 if accepted else 1


if __name__ == "__main__":
    sys.exit(main())
