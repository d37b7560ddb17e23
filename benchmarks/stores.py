"""Redis and PostgreSQL for a run: each started on a free port of 127.0.0.1, with its data in the run's folder, and stopped."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from benchmarks.process import Process, started
from benchmarks.scenario import Bench, Failed, Unavailable
from benchmarks.servers import bare_environment

STARTS_WITHIN_S = 20.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(answers: Callable[[], bool], name: str) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while not answers():
        if time.monotonic() > until:
            message = f"{name} did not start"
            raise Failed(message)
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis(bench: Bench) -> Iterator[tuple[str, Process]]:
    """A Redis that keeps nothing on disk: its URL and process. Raises Unavailable without redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        raise Unavailable("redis-server is needed; on Debian: apt install redis-server")
    port = _free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(bench.folder)]
    with started("redis", command, folder=bench.folder, core=bench.cores.load, environment=bare_environment()) as process:
        _until(lambda: _accepts(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0", process


@contextmanager
def postgresql(bench: Bench, kept_in: str = "") -> Iterator[str]:
    """A PostgreSQL with its defaults, and a database in it: its URL. Raises Unavailable without its programs.

    The database is empty, or as it was left in the folder of this name in the run's.
    """
    folders = sorted(glob("/usr/lib/postgresql/*/bin"))  # noqa: PTH207 - a pattern from the root
    found = shutil.which("initdb") or (f"{folders[-1]}/initdb" if folders else None)
    if found is None:
        raise Unavailable("PostgreSQL is needed; on Debian: apt install postgresql")
    programs, data, port = Path(found).parent, bench.folder / (kept_in or "postgresql"), _free_port()
    bench.folder.chmod(0o755)
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name  # it refuses to run as root
    before = ["runuser", "-u", user, "--"] if os.getuid() == 0 else []
    if not data.exists():
        data.mkdir()
        if before:
            shutil.chown(data, user)
        initdb = [str(programs / "initdb"), "--auth=trust", "--username=wsx", f"--pgdata={data}"]
        subprocess.run([*before, *initdb], check=True, capture_output=True)
    command = [*before, str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data), "-h", "127.0.0.1"]
    with started("postgresql", command, folder=bench.folder, core=bench.cores.load, environment=bare_environment()):
        _until(lambda: _accepts(port), "PostgreSQL")
        yield f"postgresql+asyncpg://wsx@127.0.0.1:{port}/postgres"
    if not kept_in:
        shutil.rmtree(data)
