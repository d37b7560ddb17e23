"""Broadcasts at a steady pace: what comes faster waits its turn in a bounded queue, in order. Dropped is what asked for it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from math import ceil
from typing import NamedTuple

import structlog

from app.hub.audience import Audience, everyone
from app.hub.publication import Publication, Receipt, encode, one
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable
from app.kernel.transaction import refuse_inside_transaction
from app.wire.swap import DEFAULT_SWAP
from app.wire.update import Update

MAX_WAITING = 1_000
"""Publications that wait in one queue, unless said otherwise: at five a second the last one goes out after three minutes."""

RETRY_S = 1.0
"""Seconds before a publication is tried again that could not be published, because the journal or the database is away."""

_log = structlog.get_logger()


class QueueFull(Unavailable):
    """The queue takes no more for now; the publication was not taken."""

    code = "queue_full"


class PacedCounts(NamedTuple):
    """The numbers of one queue, for `/metrics`."""

    waiting: int
    sent: int
    failed: int
    refused: int
    expired: int = 0


class Paced:
    """At most `max_per_s` publications a second. Those of the same queue reach every page in the order in which they were given.

    Costs nothing while nothing waits: its task ends with the queue.
    """

    def __init__(
        self, name: str, publish: Callable[[Publication], Awaitable[Receipt]], *, max_per_s: float, max_waiting: int = MAX_WAITING
    ) -> None:
        if not (0 < max_per_s < float("inf") and max_waiting >= 1):
            message = "max_per_s must be a number above 0, max_waiting at least 1"
            raise ValueError(message)
        self.name = name
        self._publish = publish
        self._interval_s = 1 / max_per_s
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Publication, float]] = deque()
        """Each with when it came."""
        self._task: asyncio.Task[None] | None = None
        self._pause: asyncio.Future[None] | None = None
        self._next_at = 0.0
        self._hurries = False
        self._sent = self._failed = self._refused = self._expired = 0

    def broadcast(self, target: str, html: str, swap: str = DEFAULT_SWAP, *, audience: Audience = everyone) -> str:
        """Queue HTML for the pages of an audience; without one, of everyone. Returns the publication's id. Raises QueueFull."""
        return self.publish(audience, Update(target, html, swap))

    def publish(self, audience: Audience, update: Update) -> str:
        """Queue one update for an audience. Returns the publication's id. Raises QueueFull."""
        return self.put(one(audience, update))

    def put(self, publication: Publication) -> str:
        """Queue a publication. Who hears it is found when its turn has come.

        Raises QueueFull, which says when to try again, and ValueError for what is over a limit: now, while somebody listens.
        """
        refuse_inside_transaction()
        encode(publication)
        if len(self._waiting) >= self._max_waiting:
            self._refused += 1
            message = f"{self._max_waiting} broadcasts wait in the queue {self.name!r}, which takes no more; nothing was queued"
            raise QueueFull(message, retry_after_s=ceil(self._interval_s))
        self._waiting.append((publication, monotonic()))
        self._start()
        return publication.id

    def place_of(self, publication_id: str) -> int | None:
        """How many go before it; None: it does not wait here."""
        return next((place for place, (waiting, _) in enumerate(self._waiting) if waiting.id == publication_id), None)

    def counts(self) -> PacedCounts:
        """How many wait, and what became of the others since the start."""
        return PacedCounts(len(self._waiting), self._sent, self._failed, self._refused, self._expired)

    async def drain(self) -> None:
        """Send all that waits without a pause, and what is queued meanwhile: the server stops."""
        self._hurries = True
        try:
            if self._pause is not None:
                self._pause.cancel()
            while self._waiting:
                await asyncio.wait((self._start(),))
        finally:
            self._hurries = False

    def _start(self) -> asyncio.Task[None]:
        """The one task that sends: nothing overtakes, and nothing is sent twice."""
        if self._task is None or self._task.done():
            context = Context()  # and not that of this caller: it publishes for all others, too
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"paced {self.name}", context=context)
        return self._task

    async def _run(self) -> None:
        while self._waiting:
            pause_s = self._next_at - monotonic()
            if pause_s > 0 and not self._hurries:
                self._pause = asyncio.ensure_future(asyncio.sleep(pause_s))
                await asyncio.wait((self._pause,))
                continue
            self._next_at = monotonic() + self._interval_s
            await self._send_next()
            await asyncio.sleep(0)  # a publication is delivered without a wait: between two of them others have their turn

    async def _send_next(self) -> None:
        """Send the oldest, unless its time is over. It counts as waiting until it is sent, so that a stop loses nothing."""
        publication, since = self._waiting[0]
        try:
            if publication.is_over(since):
                self._expired += 1
            else:
                await self._publish(publication.after_waiting(since))
                self._sent += 1
        except Exception as error:
            if isinstance(error, Unavailable) and not self._hurries:  # whoever queued it was told that it will be heard
                self._next_at = monotonic() + RETRY_S
                return
            self._failed += 1
            _log.exception("paced broadcast failed", queue=self.name, publication=publication.id)
        self._waiting.popleft()


def add_queue(queues: list[Paced], queue: Paced) -> None:
    """Put the queue to the others. Raises ValueError when one of them has its name: metrics go by it."""
    if any(other.name == queue.name for other in queues):
        message = f"there is a paced queue {queue.name!r} already; give this one another name"
        raise ValueError(message)
    queues.append(queue)
