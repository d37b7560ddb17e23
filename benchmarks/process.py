"""A process that is measured: started on its core, its errors kept, its memory and time read, and stopped whatever happens."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import HERE

STOPS_WITHIN_S = 30.0
TAIL_CHARS = 2_000


class Process(NamedTuple):
    """A running process and the file of its errors."""

    name: str
    popen: subprocess.Popen[str]
    errors: Path

    def rss_kib(self) -> int:
        """Resident memory, in KiB."""
        return self._status("VmRSS")

    def peak_kib(self) -> int:
        """The most resident memory that it ever had, in KiB."""
        return self._status("VmHWM")

    def cpu_s(self) -> float:
        """Processor time so far, of all its threads, in seconds."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:"))

    def said(self) -> str:
        """The end of what it complained about."""
        return self.errors.read_text()[-TAIL_CHARS:]


@contextmanager
def started(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    core: int | None,
    environment: Mapping[str, str],
    where: Path = HERE.parent,
) -> Iterator[Process]:
    """A process on `core`, whose errors go to a file of its name in `folder`; stopped at the end."""
    errors = folder / f"{name.replace(' ', '-')}.errors"
    with errors.open("w") as file:
        popen = subprocess.Popen(
            command, cwd=where, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, bufsize=1
        )
    try:
        if core is not None:
            os.sched_setaffinity(popen.pid, {core})  # at once: threads that come later inherit it
        yield Process(name, popen, errors)
    finally:
        popen.terminate()
        try:
            popen.communicate(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.communicate()
