"""What the console costs while 10,000 are connected: how long a page takes, what it is pushed, how long it holds the event loop."""

import json
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Final, Self

import httpx
from websockets.sync.client import ClientConnection, connect

from benchmarks.load import listening
from benchmarks.machine import HERE
from benchmarks.scenario import Bar, Bench, Column, Contestant, Failed, Figures, Scenario
from benchmarks.scenarios.loop import SOCKETS, read_gauge
from benchmarks.servers import Server, serving
from benchmarks.tokens import tokens_for

LOADS: Final = 20
QUIET_S: Final = 1.0
PATIENCE_S: Final = 20.0
WATCHED_S: Final = 10.0
CHANGES_EVERY_S: Final = 0.5
_TOKEN: Final = re.compile(r'name="form_token" value="(\w+)"')
_CONNECTION: Final = re.compile(r'href="/console/connection\?id=(\w+)"')


class Operator:
    """Somebody who is signed in to the console."""

    def __init__(self, bench: Bench, server: Server) -> None:
        self._address = f"127.0.0.1:{server.port}"
        self._bench = bench
        self._origin = f"http://{self._address}"
        self._http = httpx.Client(base_url=self._origin, headers={"Origin": self._origin})

    def __enter__(self) -> Self:
        token = self._found(_TOKEN, "/console/sign-in")
        answer = self._http.post("/console/sign-in", data={"form_token": token, "key": self._bench.key})
        if not answer.has_redirect_location:
            message = f"the console does not let one in: {answer.status_code}"
            raise Failed(message)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def load(self, path: str) -> str:
        """The HTML of a page."""
        return self._http.get(path).raise_for_status().text

    def oldest(self) -> str:
        """The id of the first connection in the list."""
        return self._found(_CONNECTION, "/console/connections")

    def change(self, connection_id: str) -> None:
        """Something happens: the figures of a connection are others now."""
        update = {"target": "#status", "html": "x"}
        headers = {"Authorization": f"Bearer {self._bench.key}"}
        self._http.post(f"/api/v1/connections/{connection_id}/updates", json=update, headers=headers).raise_for_status()

    @contextmanager
    def watching(self, page: str, query: str) -> Iterator[ClientConnection]:
        """The socket of a page, which is kept up to date."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
        address = f"ws://{self._address}/console/ws"
        with connect(address, additional_headers={"Cookie": cookies, "Origin": self._origin}, proxy=None) as socket:
            socket.send(json.dumps({"id": "1", "handler": "watch", "data": {"page": page, "query": query}}))
            yield socket

    def _found(self, pattern: re.Pattern[str], path: str) -> str:
        found = pattern.search(self.load(path))
        if found is None:
            message = f"{path} has not what was looked for"
            raise Failed(message)
        return found[1]


def load_page(operator: Operator, path: str) -> Figures:
    """One page, again and again."""
    took_ms = []
    for _ in range(LOADS):
        began = time.perf_counter()
        operator.load(path)
        took_ms.append((time.perf_counter() - began) * 1e3)
    return {"load_ms": statistics.median(took_ms), "load_most_ms": max(took_ms)}


def watch_page(operator: Operator, page: str, query: str, changed: str) -> Figures:
    """One page, kept up to date, while what it shows changes all the time."""
    received = 0
    with operator.watching(page, query) as socket:
        began = time.monotonic()
        while time.monotonic() - began < WATCHED_S:
            operator.change(changed)
            wait_until = time.monotonic() + CHANGES_EVERY_S
            while (left := wait_until - time.monotonic()) > 0:
                try:
                    received += len(socket.recv(timeout=left))
                except TimeoutError:
                    break
    return {"pushed_bytes_per_s": received / WATCHED_S}


def look_at(bench: Bench, name: str) -> Figures:
    """10,000 signed-in sockets connect; then somebody opens pages of the console, one after another."""
    path = bench.folder / "console.json"
    inside = {"WSX_HANDLERS": "loop_gauge", "PYTHONPATH": str(HERE / "probe"), "LOOP_GAUGE_FILE": str(path)}
    figures: dict[str, float] = {}
    with serving(bench, name, inside) as server:
        load = listening(bench, server, sockets=SOCKETS, tokens=str(tokens_for(bench, SOCKETS)), browser=True, broadcasts=1)
        with load, Operator(bench, server) as operator:
            one = operator.oldest()
            pages = {
                "overview": ("/console", "overview", ""),
                "list": ("/console/connections", "connections", ""),
                "found": ("/console/connections?user_id=user-9999", "connections", "user_id=user-9999"),
                "story": (f"/console/connection?id={one}", "connection", f"id={one}"),
            }
            for address, shown, query in pages.values():
                operator.load(address)
                with operator.watching(shown, query) as socket:
                    socket.recv(timeout=PATIENCE_S)
            time.sleep(QUIET_S)
            read_gauge(server, path, "")
            for page, (address, shown, query) in pages.items():
                seen = {**load_page(operator, address), **watch_page(operator, shown, query, one)}
                seen |= read_gauge(server, path, "")
                figures |= {f"{page}_{figure}": value for figure, value in seen.items()}
    return figures


def _columns(page: str, what: str) -> tuple[Column, ...]:
    return (
        Column(f"{page}_load_ms", f"{what}: load ms", 1),
        Column(f"{page}_pushed_bytes_per_s", "pushed bytes/s"),
        Column(f"{page}_held_ms", "loop held ms", 1),
        Column(f"{page}_held_busy_ms", "of it busy ms", 1),
    )


_PAGES: Final = {"overview": "overview", "list": "connections", "found": "connections of one user", "story": "one story"}

CONSOLE = Scenario(
    "console",
    "The console",
    "10,000 signed-in sockets are connected. Somebody opens each page 20 times, of which the median is shown; and looks at it for "
    "10 s, while one of the connections changes twice a second. A timer in the server notes the longest time in which the loop did "
    "not get to it. Each page was opened once before: then its template is compiled.",
    (Contestant("product", "product", look_at),),
    tuple(chain.from_iterable(_columns(*page) for page in _PAGES.items())),
    tuple(Bar(f"{what}: event loop held, ms", f"{page}_held_ms", at_most=10, digits=1) for page, what in _PAGES.items()),
)
