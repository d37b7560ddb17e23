"""Measures fan-out: one POST to every socket, with the product beside the floor. README.md says what the figures mean."""

import argparse
import json
import os
import platform
import re
import resource
import secrets
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, NoReturn

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
BEGIN, END = "<!-- result: begin -->", "<!-- result: end -->"
OWN_FILES = 64
"""Open files that a process of the benchmark needs beside its sockets."""
STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 20.0


class Run(NamedTuple):
    """What the load saw in one run."""

    deliveries_per_s: float
    p50_ms: float
    p99_ms: float
    load_busy: float
    """Part of the time in which the load used its core."""


class Turn(NamedTuple):
    """One run of each, one right after the other, so that both saw the machine in the same state."""

    floor: Run
    product: Run


class Cores(NamedTuple):
    """Where the processes may run; None: anywhere."""

    server: int | None
    load: int | None


class Bench(NamedTuple):
    """What all runs share."""

    options: argparse.Namespace
    folder: Path
    cores: Cores
    environment: dict[str, str]


def fail(text: str) -> NoReturn:
    sys.exit(f"fanout: {text}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure fan-out of the product beside the floor.")
    parser.add_argument("--sockets", type=positive, default=1_000, help="WebSocket connections that listen (1000)")
    parser.add_argument("--broadcasts", type=positive, default=200, help="measured broadcasts of one run (200)")
    parser.add_argument("--publishers", type=positive, default=1, help="HTTP connections that publish at the same time (1)")
    parser.add_argument("--bytes", type=positive, default=357, help="length of one message, without its frame header (357)")
    parser.add_argument("--warmup", type=positive, default=20, help="broadcasts before the measured ones (20)")
    parser.add_argument("--runs", type=positive, default=5, help="turns: runs of the floor and of the product (5)")
    parser.add_argument("--timeout", type=positive, default=60, metavar="S", help="seconds that all deliveries may take (60)")
    parser.add_argument("--write", action="store_true", help="put the result into README.md")
    return parser.parse_args()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{text}: at least 1 is wanted"
        raise argparse.ArgumentTypeError(message)
    return number


def raise_file_limit(wanted: int) -> None:
    """Allow `wanted` open files to this process and those that it starts, or fail and say how many are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    for highest in (max(hard, wanted), hard):  # root may raise the hard limit too
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, highest), highest))
        except (ValueError, OSError):
            continue
        break
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed < wanted:
        fail(f"{wanted:,} open files are needed and {allowed:,} are allowed: raise `ulimit -Hn`, or use fewer --sockets")


def choose_cores() -> Cores:
    """The first two cores that this process may use; with less than two, or none to choose, the scheduler decides."""
    if not hasattr(os, "sched_getaffinity"):
        fail("Linux is needed: the load and the floor use epoll")
    cores = sorted(os.sched_getaffinity(0))
    return Cores(cores[0], cores[1]) if len(cores) > 1 else Cores(None, None)


def compile_into(folder: Path) -> str:
    """Compile the load and the floor. Returns the compiler's name and version."""
    compiler = next(filter(shutil.which, (os.environ.get("CC", "cc"), "cc", "gcc", "clang")), None)
    if compiler is None:
        fail("a C compiler is needed (cc, gcc or clang); on Debian: apt install gcc libc6-dev")
    for name in ("wsload", "floor"):
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(folder / name), str(HERE / f"{name}.c")]
        if subprocess.run(command, check=False).returncode:
            fail(f"{name}.c does not compile")
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0]


@contextmanager
def process(bench: Bench, name: str, command: Sequence[str], core: int | None) -> Iterator[subprocess.Popen[str]]:
    """A process on `core`, whose errors go to a file of its name; stopped at the end."""
    with errors_of(bench, name).open("w") as errors:
        started = subprocess.Popen(
            command, cwd=HERE.parent, env=bench.environment, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        )
    try:
        if core is not None:
            os.sched_setaffinity(started.pid, {core})  # at once: threads that come later inherit it
        yield started
    finally:
        started.terminate()
        try:
            started.communicate(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.communicate()


def errors_of(bench: Bench, name: str) -> Path:
    return bench.folder / f"{name}.errors"


@contextmanager
def server(bench: Bench, name: str) -> Iterator[int]:
    """The floor or the product, on a free port of 127.0.0.1, which is returned."""
    if name == "floor":
        command, says_port = [str(bench.folder / "floor")], r"port (\d+)"
    else:
        command = [sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", "0"]
        says_port = r"address +http://127\.0\.0\.1:(\d+)"
    with process(bench, name, command, bench.cores.server) as started:
        watchdog = threading.Timer(STARTS_WITHIN_S, started.kill)
        watchdog.start()
        port = next((int(found[1]) for line in started.stdout or () if (found := re.search(says_port, line))), None)
        watchdog.cancel()
        if port is None:
            fail(f"the {name} did not start:\n{errors_of(bench, name).read_text()[-2_000:]}")
        yield port


def measure(bench: Bench, name: str) -> Run:
    """One run against a server of its own. Fails when a delivery is missing."""
    options = bench.options
    wanted = {key: getattr(options, key) for key in ("sockets", "broadcasts", "publishers", "bytes", "warmup", "timeout")}
    with server(bench, name) as port:
        command = [str(bench.folder / "wsload"), f"--port={port}", *(f"--{key}={number}" for key, number in wanted.items())]
        with process(bench, "wsload", command, bench.cores.load) as load:
            text = load.communicate()[0]
    seen = json.loads(text or '{"deliveries": 0}')
    expected = options.sockets * options.broadcasts
    if load.returncode or seen["deliveries"] != expected or seen["message_bytes"] != options.bytes:
        said = (errors_of(bench, who).read_text()[-2_000:] for who in (name, "wsload"))
        fail("\n".join((f"the {name} failed", *said, f"{seen['deliveries']:,} of {expected:,} deliveries were measured")))
    return Run(*(float(seen[field]) for field in Run._fields))


def take_turns(bench: Bench) -> list[Turn]:
    """All runs. The floor begins the first turn, the product the second, and so on."""
    turns = []
    for number in range(bench.options.runs):
        names = ("floor", "product") if number % 2 == 0 else ("product", "floor")
        runs = {name: measure(bench, name) for name in names}
        turns.append(Turn(**runs))
        said = ", ".join(f"{name} {run.deliveries_per_s:,.0f}/s" for name, run in runs.items())
        print(f"turn {number + 1} of {bench.options.runs}: {said}", flush=True)
    return turns


def spread(values: Sequence[float], digits: int) -> str:
    """Median, least and greatest."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def table(turns: Sequence[Turn]) -> str:
    """The result as a Markdown table. The ratios are those within each turn."""
    rows = [("", "deliveries/s", "p50 ms", "p99 ms", "load busy")]
    for name in Turn._fields:
        runs: list[Run] = [getattr(turn, name) for turn in turns]
        busy = f"{statistics.median(run.load_busy for run in runs):.0%}"
        fast = spread([run.deliveries_per_s for run in runs], 0)
        rows.append((name, fast, spread([run.p50_ms for run in runs], 2), spread([run.p99_ms for run in runs], 2), busy))
    pairs = [[mine / least for mine, least in zip(turn.product, turn.floor, strict=True)] for turn in turns]
    rows.append(("product / floor", *(spread([pair[place] for pair in pairs], 2) for place in range(3)), ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|-" + "-|-".join("-" * width for width in widths) + "-|")
    return "\n".join(lines)


def cpu_model() -> str:
    listed = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", listed.read_text() if listed.exists() else "", re.MULTILINE)
    return found[1] if found else platform.machine()


def conditions(bench: Bench, compiler: str) -> str:
    """When, on what and with what it was measured, as a Markdown list."""
    options = bench.options
    packages = ("wsx-server", "litestar", "uvicorn", "uvloop", "httptools", "msgspec")
    said = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{cpu_model()}, {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}",
        "placement": "the scheduler's" if bench.cores.load is None else "the server on one core, the load on another",
        "versions": ", ".join((f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages))),
        "compiler": f"{compiler}, -O2",
        "load": f"{options.sockets:,} sockets, {options.broadcasts:,} broadcasts after {options.warmup:,} to warm up, "
        f"{options.publishers:,} publishing at a time, messages of {options.bytes:,} bytes",
        "turns": f"{options.runs:,}, each of one floor run and one product run",
        "settings": "the product's defaults, SQLite",
        "command": f"`{shlex.join(('.venv/bin/python', 'benchmarks/fanout.py', *sys.argv[1:]))}`",
    }
    return "\n".join(f"- {what}: {text}" for what, text in said.items())


def write_result(result: str) -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{result}\n\n{END}{after}")


def main() -> None:
    options = read_options()
    if options.write and not re.search(f"{BEGIN}.*{END}", README.read_text(), re.DOTALL):
        fail(f"README.md has no place for the result: {BEGIN} and {END}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by way of `finally`: no server is left behind
    cores = choose_cores()
    raise_file_limit(options.sockets + options.publishers + OWN_FILES)
    with tempfile.TemporaryDirectory(prefix="fanout-") as name:
        folder = Path(name)
        compiler = compile_into(folder)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("WSX_", "PYTHON"))}
        environment["WSX_ADMIN_KEY"] = secrets.token_urlsafe(32)
        environment["WSX_DATABASE_URL"] = f"sqlite+aiosqlite:///{folder / 'wsx.db'}"
        bench = Bench(options, folder, cores, environment)
        turns = take_turns(bench)
    result = f"{conditions(bench, compiler)}\n\n{table(turns)}"
    print(f"\n{result}")
    if options.write:
        write_result(result)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
