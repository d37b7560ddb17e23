"""Work that comes in bursts, done in batches by one task: a thousand connects at once become one query, not a thousand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Generic, TypeVar

import structlog

from app.features.background import Rest, background
from app.kernel.batches import shown
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable, why
from app.kernel.histogram import SIZES, Histogram

RETRY_S = 2.0
"""Seconds between tries while the database is away."""
MAX_BATCH = 1_000
"""Items in one batch."""
REST = 4
"""Times as long as a batch took is waited behind it before the next one. When thousands come at once, looking after them takes a
fifth of the time at most, in few large batches. Without it each batch held only the handful that had come during the one before."""
MAX_REST_S = 1.0
"""Seconds of waiting at most, however slow the database is."""

Key = TypeVar("Key")
Item = TypeVar("Item")

_log = structlog.get_logger()


class Gathering(Generic[Key, Item]):
    """Holds items until a batch of them is carried out. Of several under one key the newest counts.

    `carry_out` is given at most `MAX_BATCH` at a time. When it raises Unavailable they wait and are tried again; when it raises
    anything else, that is logged and they are given up. `keeps_up`: while a full batch waits there is neither pause nor rest, for
    what comes must not be more than what is carried out.
    """

    def __init__(
        self, what: str, carry_out: Callable[[dict[Key, Item]], Awaitable[None]], *, pause_s: float, keeps_up: bool = False
    ) -> None:
        self.name = what
        self.sizes = Histogram(SIZES)
        self._carry_out = carry_out
        self._pause_s = pause_s
        self._keeps_up = keeps_up
        self._waiting: dict[Key, Item] = {}
        self._some = asyncio.Event()

    def add(self, key: Key, item: Item) -> None:
        """Put an item into the next batch."""
        self._waiting[key] = item
        self._some.set()

    def done(self, key: Key, item: Item) -> None:
        """This item need not be carried out any more: also where the rest of its batch is tried again."""
        if self._waiting.get(key) is item:
            del self._waiting[key]

    def forget(self, key: Key) -> None:
        """Nothing need be carried out under this key any more."""
        self._waiting.pop(key, None)

    def drop_oldest(self) -> None:
        """Give up what waits for the longest time."""
        del self._waiting[next(iter(self._waiting))]

    def newest(self, key: Key) -> Item | None:
        """What waits under the key, or is being carried out; None: nothing does."""
        return self._waiting.get(key)

    def __contains__(self, key: Key) -> bool:
        """Whether the key waits, or its batch is being carried out."""
        return key in self._waiting

    def __len__(self) -> int:
        """How many wait, those among them whose batch is being carried out."""
        return len(self._waiting)

    async def flush(self) -> None:
        """Carry out all that waits. Raises Unavailable; then it still waits."""
        while self._waiting:
            await self._carry_out_batch()

    async def _carry_out_batch(self) -> None:
        batch = dict(islice(self._waiting.items(), MAX_BATCH))
        if not batch:  # all of it was forgotten
            self._some.clear()
            return
        try:
            await self._carry_out(batch)
        except Unavailable:
            raise
        except Exception:
            _log.exception("batch failed", what=self.name, size=len(batch))
        self.sizes.observe(len(batch))
        for key, item in batch.items():
            self.done(key, item)
        if not self._waiting:
            self._some.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry out batches while the block runs, and the rest at its end."""
        with shown(self):
            async with background(self.name, self._run):
                yield
        try:
            await self.flush()
        except Unavailable as error:
            _log.warning("left undone at the end", what=self.name, left=len(self._waiting), **why(error))

    async def _run(self, rest: Rest) -> None:
        rested_at = monotonic()
        while True:
            await rest.wait(self._some)
            if not self._keeps_up or len(self._waiting) < MAX_BATCH:
                await rest.sleep(max(self._pause_s, rested_at - monotonic()))
            began = monotonic()
            try:
                await self._carry_out_batch()
                ended = monotonic()
                rested_at = ended + min(REST * (ended - began), MAX_REST_S)
            except Unavailable as error:
                _log.warning("waits, and is tried again", what=self.name, waiting=len(self._waiting), **why(error))
                await rest.sleep(RETRY_S)
