"""The machine: one core for the server and one for the load, enough open files, a C compiler, and the words that describe it."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, NoReturn

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / ".build"
"""A folder that git ignores: compiled programs and installed peers."""
OWN_FILES = 64
"""Open files that a process of the benchmark needs beside its sockets."""
LOADS = {
    "wsload": ("wsload", "listeners", "stalled", "publishers", "deliveries", "http", "dial", "options", "common"),
    "httpload": ("httpload", "http", "dial", "options", "common"),
}
"""Each program of the load, and the C files that it is made of."""


class Cores(NamedTuple):
    """Where the processes may run; None: anywhere."""

    server: int | None
    load: int | None


def fail(text: str) -> NoReturn:
    sys.exit(f"benchmarks: {text}")


def raise_file_limit(sockets: int) -> None:
    """Allow that many sockets to this process and those that it starts, or fail and say how many are allowed."""
    wanted = sockets + OWN_FILES
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
        fail(f"{wanted:,} open files are needed and {allowed:,} are allowed: raise `ulimit -Hn`")


def choose_cores() -> Cores:
    """The first two cores that this process may use; with less than two, or none to choose, the scheduler decides."""
    if not hasattr(os, "sched_getaffinity"):
        fail("Linux is needed: the load uses epoll")
    cores = sorted(os.sched_getaffinity(0))
    return Cores(cores[0], cores[1]) if len(cores) > 1 else Cores(None, None)


def compiler() -> str:
    chosen = os.environ.get("CC")
    if chosen is not None and shutil.which(chosen) is None:
        fail(f"CC={chosen}: there is no such compiler")
    found = chosen or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if found is None:
        fail("a C compiler is needed (cc, gcc or clang); on Debian: apt install gcc libc6-dev")
    return found


def compile_c(target: Path, sources: list[Path]) -> None:
    """Compile, unless the program is newer than its sources and their headers."""
    newest = max(path.stat().st_mtime for folder in {source.parent for source in sources} for path in folder.glob("*.[ch]"))
    if target.exists() and target.stat().st_mtime > newest:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler(), "-O2", "-Wall", "-Wextra", "-o", str(target), *map(str, sources)]
    if subprocess.run(command, check=False).returncode:
        fail(f"{target.name} does not compile")


def load_program(name: str) -> Path:
    """The load `wsload` or `httpload`, compiled."""
    target = BUILD / "generators" / name
    compile_c(target, [HERE / "generators" / f"{part}.c" for part in LOADS[name]])
    return target


def cpu_model() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def description() -> dict[str, str]:
    """The machine and the versions of what ran on it, by what they are."""
    packages = ("wsx-server", "litestar", "uvicorn", "uvloop", "httptools", "msgspec")
    said = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False).stdout
    placed = "the scheduler's" if choose_cores().load is None else "the server on one core, the load on another"
    return {
        "machine": f"{cpu_model()}, {os.cpu_count()} cores, Linux {'.'.join(platform.release().split('.')[:2])}",
        "placement": placed,
        "versions": ", ".join((f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages))),
        "compiler": f"{said.partition(chr(10))[0]}, -O2",
    }
