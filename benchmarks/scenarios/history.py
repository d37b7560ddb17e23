"""Ten million messages: what a page of a list costs then, what a start, and what everybody waits while old ones are deleted."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from uuid import UUID

from benchmarks.chance import Chance
from benchmarks.history import SPAN_MS, Size, fill_postgresql, fill_sqlite, message_id
from benchmarks.scenario import Bar, Bench, Column, Contestant, Failed, Figures, Scenario
from benchmarks.servers import Server, bare_environment, serving
from benchmarks.stores import postgresql

MESSAGES = 10_000_000
ASKED = 1_000
"""Requests of each kind: one in a hundred of them is the p99."""
WARM_UP = 50
KEPT_DAYS = 265
"""What is older is deleted, in the turns that delete: more than a quarter of all, which takes longer than it is looked at."""
DELETES_WITHIN_S = 100.0
DAY_MS = 86_400_000
_CHUNK_BYTES = 1_048_576

Ask = tuple[str, str, str | None]
"""A method, a path, a body."""


@contextmanager
def _sqlite(bench: Bench, size: Size) -> Iterator[str]:
    path = bench.folder / f"history-{size.messages}.db"
    url = f"sqlite+aiosqlite:///{path}"
    if not path.exists():
        _migrate(bench, url)
        fill_sqlite(str(path), size)
    _read_into_memory([path])
    yield url


@contextmanager
def _postgresql(bench: Bench, size: Size) -> Iterator[str]:
    is_new = not (bench.folder / "history").exists()
    with postgresql(bench, kept_in="history") as url:
        if is_new:
            _migrate(bench, url)
            fill_postgresql(url, size)
        _read_into_memory(sorted((bench.folder / "history").rglob("base/*/*")))
        yield url


def _read_into_memory(files: Iterable[Path]) -> None:
    """As they are on a machine that serves them. A disk would be measured otherwise, where another store was filled meanwhile."""
    for file in files:
        with suppress(FileNotFoundError), file.open("rb") as opened:
            while opened.read(_CHUNK_BYTES):
                pass


STORES: Mapping[str, Callable[[Bench, Size], object]] = {"SQLite": _sqlite, "PostgreSQL": _postgresql}


def _migrate(bench: Bench, url: str) -> None:
    environment = {**bare_environment(), "WSX_DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "app", "migrate"], cwd=bench.product, env=environment, check=True, capture_output=True)


def _size(bench: Bench, messages: int) -> Size:
    """Of one measurement: it ends when the folder was made, however late a store is filled."""
    return Size(messages, int(bench.folder.stat().st_ctime) // 86_400 * DAY_MS)


class _Client:
    """One connection, one request after the other."""

    def __init__(self, bench: Bench, server: Server) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port)
        self._headers = {"Authorization": f"Bearer {bench.key}", "Content-Type": "application/json"}

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(self, method: str, path: str, body: str | None = None) -> int:
        self._connection.request(method, f"/api/v1{path}", body, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def timed_ms(self, method: str, path: str, body: str | None) -> float:
        began = time.perf_counter()
        status = self.ask(method, path, body)
        took = time.perf_counter() - began
        if status not in {200, 201}:
            message = f"{method} {path} was answered {status}"
            raise Failed(message)
        return took * 1_000


def _cursor(size: Size, chance: Chance) -> str:
    """Somewhere in the year."""
    place = str(UUID(int=(size.since_ms + chance.randrange(SPAN_MS)) << 80 | 0x7FFF8 << 60))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _kinds(size: Size, chance: Chance) -> Mapping[str, Callable[[], Ask]]:
    """What is asked for: of any room or user, each as likely as the other."""

    def room() -> str:
        return f"/rooms/room-{chance.randrange(size.rooms)}/messages"

    def inbox() -> str:
        return f"/users/user-{chance.randrange(size.users)}/notifications"

    said = json.dumps({"message": "the quick brown fox"})
    return {
        "first": lambda: ("GET", room(), None),
        "later": lambda: ("GET", f"{room()}?cursor={_cursor(size, chance)}", None),
        "fullest": lambda: ("GET", f"/rooms/room-0/messages?cursor={_cursor(size, chance)}", None),
        "inbox": lambda: ("GET", inbox(), None),
        "unread": lambda: ("GET", f"{inbox()}?state=unread&limit=1", None),
        "send": lambda: ("POST", room(), said),
    }


def _measure(client: _Client, size: Size, asked: int, warm_up: int = WARM_UP) -> dict[str, float]:
    """In turn one of each kind."""
    kinds = _kinds(size, Chance(size.messages))
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(warm_up + asked):
        for kind, make in kinds.items():
            one = client.timed_ms(*make())
            if number >= warm_up:
                took[kind].append(one)
    return {
        f"{kind}_{name}": _percentile(times, part) for kind, times in took.items() for name, part in (("p50", 0.5), ("p99", 0.99))
    }


def _percentile(times: Sequence[float], part: float) -> float:
    return sorted(times)[int(part * len(times))]


def read_history(
    bench: Bench, server: str, *, store: str, messages: int = MESSAGES, asked: int = ASKED, warm_up: int = WARM_UP
) -> Figures:
    """A server on the history, and how long it took to start beside one whose tables are empty."""
    with STORES[store](bench, size := _size(bench, messages)) as url:
        extra = {"WSX_DATABASE_URL": url}
        began = time.perf_counter()
        with serving(bench, server, extra) as running, closing(_Client(bench, running)) as client:
            ready = time.perf_counter() - began
            figures = _measure(client, size, asked, warm_up)
    empty = {"WSX_DATABASE_URL": f"sqlite+aiosqlite:///{bench.folder}/empty.db"}
    with serving(bench, server, empty):
        pass
    began = time.perf_counter()
    with serving(bench, server, empty):
        return {**figures, "ready_s": ready, "ready_empty_s": time.perf_counter() - began}


def _deleted(client: _Client, size: Size) -> int:
    """How many of the messages in rooms are gone, which go from the oldest on."""
    low, high = 0, size.messages
    while low < high:
        middle = (low + high) // 2
        if client.ask("GET", f"/messages/{message_id(size, middle)}") == 404:
            low = middle + 1
        else:
            high = middle
    return low


def delete_history(bench: Bench, server: str, *, store: str, messages: int = MESSAGES, asked: int = ASKED) -> Figures:
    """The same while what is older than KEPT_DAYS is deleted."""
    with STORES[store](bench, size := _size(bench, messages)) as url:
        extra = {"WSX_DATABASE_URL": url, "WSX_MESSAGE_RETENTION_DAYS": str(KEPT_DAYS)}
        with serving(bench, server, extra) as running, closing(_Client(bench, running)) as client:
            before, until = _deleted(client, size), time.monotonic() + DELETES_WITHIN_S
            while (first := _deleted(client, size)) == before:
                if time.monotonic() > until:
                    raise Failed("nothing was deleted")
                time.sleep(0.2)
            began = time.perf_counter()
            figures = _measure(client, size, asked)
            took, last = time.perf_counter() - began, _deleted(client, size)
            if last * SPAN_MS // size.messages > SPAN_MS - (KEPT_DAYS + 1) * DAY_MS:
                raise Failed("all that was too old was deleted before the end")
    return {**figures, "deleted_per_s": (last - first) / took}


KINDS = {
    "first": "first page of a room",
    "later": "a later page",
    "fullest": "of the fullest room",
    "inbox": "an inbox",
    "unread": "unread counts",
    "send": "a message is sent",
}

HISTORY = Scenario(
    "history",
    "A year of history",
    f"{MESSAGES:,} messages in 10,000 rooms, a tenth as many private ones and notifications, of 10,000 users. One connection asks "
    f"for one thing after the other, {ASKED:,} times for each; lists have 50 items; the system has "
    f"the data in its memory, where that suffices. Times are those of the whole call. `deleting`: "
    f"with `WSX_MESSAGE_RETENTION_DAYS={KEPT_DAYS}`, which deletes all the while.",
    tuple(
        Contestant(f"{store}{suffix}", "product", partial(run, store=store))
        for store in STORES
        for suffix, run in (("", read_history), (", deleting", delete_history))
    ),
    (
        *(Column(f"{kind}_{name}", f"{title}: {name} ms", 2) for kind, title in KINDS.items() for name in ("p50", "p99")),
        Column("ready_s", "ready after s", 2),
        Column("ready_empty_s", "with empty tables s", 2),
        Column("deleted_per_s", "deleted/s"),
    ),
    tuple(
        Bar(f"{store}: {title}, p99 ms", f"{kind}_p99", store, at_most=5, digits=2)
        for store in STORES
        for kind, title in KINDS.items()
        if kind != "send"
    ),
    is_long=True,
)
