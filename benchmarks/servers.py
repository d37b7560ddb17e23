"""Each server that is measured: how it is started, on a free port of 127.0.0.1, and how it says where."""

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks import install
from benchmarks.machine import HERE, fail
from benchmarks.process import Process, started
from benchmarks.scenario import Bench, Failed

STARTS_WITHIN_S = 30.0
UNLIMITED_PER_MIN = 100_000_000
_numbers = count(1)


class Server(NamedTuple):
    """A server that listens."""

    port: int
    process: Process


class Launch(NamedTuple):
    """How a server is started, and how it says its port."""

    command: list[str]
    environment: Mapping[str, str] = {}
    where: Path = HERE.parent
    says_port: str = r"port (\d+)"


def bare_environment() -> dict[str, str]:
    """The environment without what would change a server."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("WSX_", "PYTHON", "GO", "NODE_"))}


def product_launch(bench: Bench, checkout: Path) -> Launch:
    """`wsx serve` with its defaults, an empty SQLite database, and a key and a secret that are made for the run."""
    database = bench.folder / f"wsx-{next(_numbers)}.db"
    environment = {
        "WSX_ADMIN_KEY": bench.key,
        "WSX_TOKEN_SECRET": bench.secret,
        "WSX_DATABASE_URL": f"sqlite+aiosqlite:///{database}",
    }
    if "api_rate_per_min" in (checkout / "app" / "settings.py").read_text():
        environment["WSX_API_RATE_PER_MIN"] = str(UNLIMITED_PER_MIN)
    command = [sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", "0"]
    return Launch(command, environment, checkout, r"address +http://127\.0\.0\.1:(\d+)")


def checkout_of(bench: Bench, name: str) -> Path:
    """The checkout that the server `product` or `before` runs from."""
    return bench.before if name == "before" and bench.before is not None else bench.product


def launch_of(bench: Bench, name: str) -> Launch:
    """Raises Unavailable when a peer cannot be had here."""
    match name:
        case "product" | "before":
            return product_launch(bench, checkout_of(bench, name))
        case "floor":
            return Launch([str(install.floor())])
        case "centrifuge":
            return Launch([str(install.centrifuge())], {"GOMAXPROCS": "1"})
        case "socketify":
            return Launch([str(install.socketify()), str(HERE / "peers" / "socketify_server.py")])
        case "express_route" | "express_sockets":
            return Launch(["node", str(install.node() / f"{name}.js")])
    return fail(f"no such server: {name}")


@contextmanager
def serving(bench: Bench, name: str, extra: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The server of that name, with `extra` in its environment. Raises Unavailable, or Failed if it does not start."""
    launch = launch_of(bench, name)
    environment = {**bare_environment(), **launch.environment, **(extra or {})}
    with started(
        name, launch.command, folder=bench.folder, core=bench.cores.server, environment=environment, where=launch.where
    ) as process:
        watchdog = threading.Timer(STARTS_WITHIN_S, process.popen.kill)
        watchdog.start()
        lines = process.popen.stdout or ()
        port = next((int(found[1]) for line in lines if (found := re.search(launch.says_port, line))), None)
        watchdog.cancel()
        if port is None:
            message = f"it did not start: {process.said()}"
            raise Failed(message)
        yield Server(port, process)
