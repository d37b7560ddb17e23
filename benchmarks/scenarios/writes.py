"""Messages that are committed: by the writer, beside a session of the ORM and a commit for each of them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

from benchmarks.machine import HERE
from benchmarks.process import started
from benchmarks.scenario import Bar, Bench, Column, Contestant, Failed, Figures, Scenario
from benchmarks.servers import bare_environment, checkout_of
from benchmarks.stores import postgresql

SENDERS = 64
_numbers = count(1)


@contextmanager
def sqlite(bench: Bench) -> Iterator[str]:
    """A file of its own."""
    yield f"sqlite+aiosqlite:///{bench.folder}/writes-{next(_numbers)}.db"


STORES = {"SQLite": sqlite, "PostgreSQL": postgresql}


def write(bench: Bench, server: str, how: str, store: str, messages: int) -> Figures:
    """64 senders, and one alone."""
    where = checkout_of(bench, server)
    environment = {**bare_environment(), "PYTHONPATH": str(where)}
    figures: dict[str, float] = {}
    for senders, prefix, of_them in ((SENDERS, "", messages), (1, "lone_", messages // 8)):
        with STORES[store](bench) as url:
            command = [sys.executable, str(HERE / "probe" / "writes.py"), url, how, str(senders), str(of_them)]
            with started("writes", command, folder=bench.folder, core=bench.cores.server, environment=environment) as process:
                told = process.popen.communicate()[0]
            if process.popen.returncode:
                raise Failed(process.said())
            figures |= {prefix + name: value for name, value in json.loads(told).items()}
    return figures


def _scenario(store: str, times: float, at_least: float | None) -> Scenario:
    writer, plain = f"product, {store}", f"plain, {store}"
    bars = [
        Bar(f"{store}: messages committed/s, 64 senders", "messages_per_s", writer, plain, at_least=times),
        Bar(f"{store}: ms until one alone is committed", "lone_p50_ms", writer, plain, at_most=1.2, digits=2),
    ]
    if at_least is not None:
        bars.insert(1, Bar(f"{store}: messages committed/s", "messages_per_s", writer, at_least=at_least))
    return Scenario(
        f"writes-{store.lower()}",
        f"Messages committed, {store}",
        "64 senders, each of which sends its next message when the last one is on disk; and one alone. Plain is the product's own "
        "code with a session of the ORM and a commit for each message.",
        (
            Contestant(writer, "product", partial(write, how="writer", store=store, messages=16_000)),
            Contestant(plain, "product", partial(write, how="plain", store=store, messages=1_600)),
        ),
        (
            Column("messages_per_s", "messages/s"),
            Column("p50_ms", "p50 ms", 2),
            Column("p99_ms", "p99 ms", 2),
            Column("lone_messages_per_s", "alone: messages/s"),
            Column("lone_p50_ms", "p50 ms", 2),
        ),
        tuple(bars),
    )


ON_SQLITE = _scenario("SQLite", 8.0, 5_000)
ON_POSTGRESQL = _scenario("PostgreSQL", 3.0, None)
