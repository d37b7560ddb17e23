"""The database as it is used: transactions, how they end, how long they take; and the queues that write in batches."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.backend import Done
from app.db.session import Database
from app.db.writes import Job, Kind, Result
from app.kernel.batches import Batches
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable
from app.kernel.histogram import SECONDS, SIZES, Histogram
from app.kernel.span import NO_SPAN, Span
from app.monitoring.families import add_histogram

OUTCOMES: Final = ("committed", "rolled_back", "unavailable")
"""`rolled_back`: by whoever wrote, who refused something, or by a mistake. `unavailable`: whoever wrote was told that the database
is away, busy or full; of writes that leave together each of them. It may be the server itself, which tries again."""


class WatchedDatabase(Database):
    """A database that knows how its transactions end."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.span: Span = NO_SPAN
        """Set by whoever traces."""
        self.outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.seconds = Histogram(SECONDS)
        """From the wish for its turn to what it answers; only of those that were committed."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """As the database does."""
        with self._refusals(), self._ends(), self.span("transaction"):
            async with super().transaction() as session:
                yield session

    async def write(self, kind: Kind[Job, Result], job: Job, *, rows: int = 1, lane: str = "") -> Result:
        """As the database does. Its transaction, which is for others, too, has no span: what waits for it has."""
        with self._refusals(), self.span("write"):
            return await super().write(kind, job, rows=rows, lane=lane)

    async def _commit(self, work: Callable[[Connection], Done], *, is_patient: bool) -> Done:
        with self._ends():
            return await super()._commit(work, is_patient=is_patient)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except Unavailable:
            self.outcomes["unavailable"] += 1
            raise

    @contextmanager
    def _ends(self) -> Iterator[None]:
        began = monotonic()
        try:
            yield
        except Unavailable:
            raise
        except BaseException:
            self.outcomes["rolled_back"] += 1
            raise
        self.outcomes["committed"] += 1
        self.seconds.observe(monotonic() - began)


class StorageCollector(Collector):
    """Reads what is known when it is asked for."""

    def __init__(self, database: WatchedDatabase, batches: Sequence[Batches]) -> None:
        """`batches`: those that run; it is read only."""
        self._database = database
        self._batches = batches

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        ended = CounterMetricFamily("wsx_transactions", "Transactions that write, by how they ended", labels=["outcome"])
        for outcome, count in self._database.outcomes.items():
            ended.add_metric([outcome], count)
        took = "Seconds that committed transactions took, with what they waited for their turn"
        seconds = HistogramMetricFamily("wsx_transaction_seconds", took)
        add_histogram(seconds, (), self._database.seconds)
        yield from (ended, seconds)
        yield from self._queues()

    def _queues(self) -> Iterator[Metric]:
        """Those of one name as one."""
        waiting: Counter[str] = Counter()
        sizes: dict[str, Histogram] = {}
        for one in self._batches:
            waiting[one.name] += len(one)
            whole = sizes.setdefault(one.name, Histogram(SIZES))
            whole.counts = [before + more for before, more in zip(whole.counts, one.sizes.counts, strict=True)]
            whole.sum += one.sizes.sum
        depth = GaugeMetricFamily("wsx_batch_waiting", "Items that wait to be carried out with others", labels=["queue"])
        items = HistogramMetricFamily("wsx_batch_items", "Items that were carried out together", labels=["queue"])
        for name, count in waiting.items():
            depth.add_metric([name], count)
            add_histogram(items, [name], sizes[name])
        yield from (depth, items)
