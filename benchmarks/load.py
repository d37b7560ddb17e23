"""The load: sockets that listen and connections that publish, or plain requests. Every run is checked: a load that missed fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.machine import load_program
from benchmarks.process import Process, started
from benchmarks.scenario import Bench, Failed, Figures
from benchmarks.servers import Server, bare_environment

Option = str | int | bool


def _flags(options: dict[str, Option]) -> list[str]:
    given = {name.replace("_", "-"): value for name, value in options.items() if value is not False}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in given.items()]


@contextmanager
def _loading(bench: Bench, program: str, server: Server, options: dict[str, Option]) -> Iterator[Process]:
    command = [str(load_program(program)), f"--port={server.port}", *_flags(options)]
    environment = bare_environment() | {"WSX_ADMIN_KEY": bench.key}
    with started(program, command, folder=bench.folder, core=bench.cores.load, environment=environment) as process:
        yield process


def _complaint(server: Server, process: Process) -> str:
    """What the load says is enough; without it, the server's last words."""
    said = ((one.name, one.said().strip()) for one in (process, server.process))
    return next((f"{name} says: {text}" for name, text in said if text), "the load ended without a word")


def _result(server: Server, process: Process, text: str) -> dict[str, float]:
    """The figures of a load that ended. Raises Failed when it did not serve its purpose, or a delivery is missing."""
    if not text.strip():
        process.popen.wait()
    if process.popen.poll() or not text.strip():
        raise Failed(_complaint(server, process))
    figures: dict[str, float] = json.loads(text)
    if figures.get("missing", 0):
        message = f"{figures['missing']:,.0f} deliveries are missing"
        raise Failed(message)
    return figures


def publish(bench: Bench, server: Server, **options: Option) -> Figures:
    """One run of `wsload`; its own comment tells the options and figures."""
    with _loading(bench, "wsload", server, {"process": server.process.popen.pid, **options}) as process:
        return _result(server, process, process.popen.communicate()[0])


def request(bench: Bench, server: Server, **options: Option) -> Figures:
    """One run of `httpload`; its own comment tells the options and figures."""
    with _loading(bench, "httpload", server, options) as process:
        return _result(server, process, process.popen.communicate()[0])


class Listening(NamedTuple):
    """Sockets that are open, and publishers that wait for the word."""

    opened: Figures
    server: Server
    process: Process

    def go(self) -> Figures:
        """Publish; the result. The sockets stay open until the end of the block."""
        popen = self.process.popen
        if popen.stdin is None or popen.stdout is None:
            raise Failed("the load has no pipes")
        popen.stdin.write("\n")
        popen.stdin.flush()
        return _result(self.server, self.process, popen.stdout.readline())


@contextmanager
def listening(bench: Bench, server: Server, **options: Option) -> Iterator[Listening]:
    """`wsload`, all of whose sockets are open and do nothing until `go()`."""
    with _loading(bench, "wsload", server, {"process": server.process.popen.pid, "hold": True, **options}) as process:
        line = process.popen.stdout.readline() if process.popen.stdout else ""
        if not line:
            process.popen.wait()
            raise Failed(_complaint(server, process))
        yield Listening(json.loads(line), server, process)


class Probe:
    """Requests beside another load."""

    def __init__(self) -> None:
        self.figures: Figures = {}
        """There once the probe has ended."""


@contextmanager
def probing(bench: Bench, server: Server, path: str, pause_ms: int) -> Iterator[Probe]:
    """GET `path` again and again on one connection, with a pause after each answer, until the end of the block."""
    probe = Probe()
    with _loading(bench, "httpload", server, {"path": path, "pause_ms": pause_ms}) as process:
        yield probe
        process.popen.terminate()
        probe.figures = _result(server, process, process.popen.communicate()[0])
