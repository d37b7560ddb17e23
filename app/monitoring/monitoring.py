"""All that is counted in one application, and the page that tells it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain

from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry

from app.hub.hub import Hub
from app.hub.lease import Lease
from app.kernel.batches import Batches, watched
from app.monitoring.families import Family, Renderer
from app.monitoring.hub import HubCollector
from app.monitoring.process import LoopLag, ProcessCollector
from app.monitoring.requests import PageRequests, Requests
from app.monitoring.storage import StorageCollector, WatchedDatabase
from app.monitoring.workers import WorkerPlace, Workers


class Monitoring:
    """One per application. Enter `running` first of all: queues that begin later show themselves to it."""

    def __init__(
        self,
        hub: Hub,
        lease: Lease,
        database: WatchedDatabase,
        *,
        version: str,
        outcomes: Iterable[str],
        place: WorkerPlace | None,
    ) -> None:
        """`outcomes`: how what pages ask may end. `place`: of one of several workers, which answer for each other."""
        self.requests = Requests()
        self.pages = PageRequests(outcomes)
        self._lag = LoopLag()
        self._batches: list[Batches] = []
        self._labels = place.labels if place is not None else {}
        self._workers = Workers(place, self._families) if place is not None else None
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (
            HubCollector(hub, lease),
            self.requests,
            self.pages,
            StorageCollector(database, self._batches),
            ProcessCollector(version, self._lag),
            GC_COLLECTOR,
        ):
            self._registry.register(collector)

    async def page(self) -> bytes:
        """All numbers as they are now, in Prometheus's text format; with those of the other workers, where there are any."""
        families = await (self._families() if self._workers is None else self._workers.all())
        return b"".join(part for family in families for part in family)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch, while the block runs."""
        async with AsyncExitStack() as stack:
            stack.enter_context(watched(self._batches))
            stack.enter_context(self._lag.running())
            if self._workers is not None:
                await stack.enter_async_context(self._workers.running())
            yield

    async def _families(self) -> list[Family]:
        """Of this process. Its open files are counted one by one: 15,000 would hold the loop for 11 ms."""
        process = await asyncio.to_thread(lambda: [*PROCESS_COLLECTOR.collect()])
        renderer = Renderer(self._labels)
        return [await renderer.rendered(metric) for metric in chain(self._registry.collect(), process)]
