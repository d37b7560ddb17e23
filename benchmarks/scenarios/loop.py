"""The event loop serves everybody: whoever holds it makes all others wait. How long is it held under the two heaviest loads?"""

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import listening, probing
from benchmarks.machine import HERE
from benchmarks.scenario import Bar, Bench, Column, Contestant, Failed, Figures, Scenario
from benchmarks.servers import Server, serving
from benchmarks.tokens import tokens_for

SOCKETS = 10_000
WRITES_WITHIN_S = 5.0
PAUSE_MS = 5
SETTLES_S = 2.0


def read_gauge(server: Server, path: Path, prefix: str) -> Figures:
    """What the gauge in the server has noted since it was read last."""
    path.unlink(missing_ok=True)
    os.kill(server.process.popen.pid, signal.SIGUSR1)
    deadline = time.monotonic() + WRITES_WITHIN_S
    while not path.exists():
        if time.monotonic() > deadline:
            message = f"the gauge in the server is silent: {server.process.said()}"
            raise Failed(message)
        time.sleep(0.01)
    return {prefix + name: value for name, value in json.loads(path.read_text()).items()}


def watch_loop(bench: Bench, name: str) -> Figures:
    """10,000 signed-in sockets connect, then 100 updates go to all of them; `GET /health/live` is asked meanwhile."""
    path = bench.folder / "loop.json"
    inside = {"WSX_HANDLERS": "loop_gauge", "PYTHONPATH": str(HERE / "probe"), "LOOP_GAUGE_FILE": str(path)}
    with serving(bench, name, inside) as server, ExitStack() as stack:
        with probing(bench, server, "/health/live", PAUSE_MS) as connecting:
            users = str(tokens_for(bench, SOCKETS))
            load = listening(bench, server, sockets=SOCKETS, tokens=users, browser=True, broadcasts=100)
            sockets = stack.enter_context(load)
        connects = read_gauge(server, path, "connect_")
        with probing(bench, server, "/health/live", PAUSE_MS) as publishing:
            sockets.go()
        fanout = read_gauge(server, path, "fanout_")
        stack.close()
        time.sleep(SETTLES_S)
        gone = read_gauge(server, path, "gone_")
    live = {"connect_live_p99_ms": connecting.figures["p99_ms"], "fanout_live_p99_ms": publishing.figures["p99_ms"]}
    return {**fanout, **connects, **gone, **live}


def _columns(prefix: str, what: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_held_ms", f"{what}: held ms", 1),
        Column(f"{prefix}_held_busy_ms", "of it busy ms", 1),
        Column(f"{prefix}_collection_ms", "full collection ms", 1),
        Column(f"{prefix}_live_p99_ms", "live p99 ms", 1),
    )


def _bars(prefix: str, what: str) -> tuple[Bar, ...]:
    return (
        Bar(f"{what}: event loop held, ms", f"{prefix}_held_ms", at_most=20, digits=1),
        Bar(f"{what}: held with a full garbage collection, ms", f"{prefix}_held_collecting_ms", at_most=100, digits=1),
        Bar(f"{what}: p99 of `GET /health/live`, ms", f"{prefix}_live_p99_ms", at_most=50, digits=1),
    )


LOOP = Scenario(
    "loop",
    "How long the event loop is held",
    "10,000 signed-in sockets connect, 256 at a time; then 100 updates to all, one after another. A timer in the server notes the "
    "longest time in which the loop did not get to it, and how much of a processor that took; one more connection asks for "
    "`GET /health/live`, 5 ms after each answer.",
    (Contestant("product", "product", watch_loop),),
    (*_columns("fanout", "fan-out"), *_columns("connect", "connects"), Column("gone_held_ms", "all go at once: held ms", 1)),
    (*_bars("fanout", "fan-out to 10,000"), *_bars("connect", "10,000 connect")),
)
