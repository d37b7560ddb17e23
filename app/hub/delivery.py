"""From a publication to sockets: find who hears, encode once per dialect, write once per connection and turn of the loop.

Why it looks as it does: at thousands of connections each line of the two inner loops costs more than everything around them.
So a message is made once and shared; what is offered to a connection in one turn of the loop leaves as one write; connections that
have the same messages waiting share one joined buffer; and a long flush gives the loop back every few milliseconds.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from app.hub.connection import Connection
from app.hub.outbox import Offer, Outbox
from app.hub.publication import Publication, Receipt
from app.hub.registry import Registry
from app.kernel.clock import monotonic
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared
from app.wire.update import Update

MAX_HOLD_S = 0.005
"""Seconds that one stretch of writing may hold the loop. Half of what the loop may be held in all."""
CHECK_EVERY = 64
"""Writes between two looks at the clock: 64 writes take about 0.4 ms."""


_log = structlog.get_logger()


class Delivery:
    """Puts publications into outboxes, and flushes outboxes at the end of the turn."""

    def __init__(self, registry: Registry, close_slow: Callable[[Connection], None]) -> None:
        self._registry = registry
        self._close_slow = close_slow
        self._waiting: list[Outbox] = []
        self._flush_comes = False

    def deliver(self, publication: Publication, cursor: str) -> Receipt:
        """Offer the publication to every connection here that hears it. Writing follows at the end of this turn."""
        parts = publication.parts
        if len(parts) == 1 and not publication.is_batch:
            return self._deliver_one(publication, cursor)
        heard: dict[Connection, list[int]] = {}
        for place, part in enumerate(parts):
            for connection in self._registry.resolve(part.audience):
                heard.setdefault(connection, []).append(place)
        messages: dict[tuple[str, tuple[int, ...]], Prepared] = {}
        queued = 0
        for connection, places in heard.items():
            key = connection.dialect.name, tuple(places)
            message = messages.get(key)
            if message is None:
                updates = [parts[place].update for place in places]
                message = messages[key] = _prepared(connection.dialect, publication, updates, cursor)
            queued += self.offer(connection, message)
        return Receipt(publication.id, len(heard), queued)

    def _deliver_one(self, publication: Publication, cursor: str) -> Receipt:
        part = publication.parts[0]
        hearers = tuple(self._registry.resolve(part.audience))  # a copy: closing a slow one changes the index
        messages: dict[Dialect, Prepared] = {}
        waiting = self._waiting
        queued = 0
        for connection in hearers:
            dialect = connection.dialect
            message = messages.get(dialect)
            if message is None:
                message = messages[dialect] = _prepared(dialect, publication, (part.update,), cursor)
            outbox = connection.outbox
            if outbox.queue or outbox.blocked or outbox.closed:
                queued += self.offer(connection, message)
                continue
            outbox.queue.append(message)  # what `offer` does, with all its questions answered
            outbox.queued_bytes = len(message.data)
            connection.sent_count += 1
            queued += 1
            outbox.scheduled = True
            waiting.append(outbox)
        self._flush_soon()
        return Receipt(publication.id, len(hearers), queued)

    def offer(self, connection: Connection, message: Prepared) -> bool:
        """Put one message into the outbox of one connection. False: it was not taken."""
        outbox = connection.outbox
        match outbox.offer(message):
            case Offer.QUEUED | Offer.REPLACED:
                connection.sent_count += 1
                if not outbox.scheduled and not outbox.blocked:
                    self.schedule(outbox)
                return True
            case Offer.CLOSED:
                return False
            case Offer.OVERFLOW:
                self._close_slow(connection)
                return False

    def schedule(self, outbox: Outbox) -> None:
        """Flush the outbox at the end of this turn of the loop."""
        outbox.scheduled = True
        self._waiting.append(outbox)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._waiting and not self._flush_comes:
            self._flush_comes = True
            asyncio.get_running_loop().call_soon(self._flush)

    def unblock(self, outbox: Outbox) -> None:
        """The socket takes more again: write what has waited."""
        outbox.blocked = False
        if outbox.queue and not outbox.scheduled:
            self.schedule(outbox)

    def _flush(self) -> None:
        """Write what waits. What is left when the time is over goes on in the next turn, behind other work."""
        waiting, self._waiting = self._waiting, []
        joined: dict[tuple[Prepared, ...], Prepared] = {}
        until = monotonic() + MAX_HOLD_S
        for done, outbox in enumerate(waiting):
            if not done % CHECK_EVERY and done and monotonic() > until:
                self._waiting[:0] = waiting[done:]
                break
            outbox.scheduled = False
            queue = outbox.queue
            if not queue:
                continue
            message = queue[0] if len(queue) == 1 else _joined(queue, joined)
            queue.clear()
            outbox.queued_bytes = 0
            try:
                outbox.blocked = not outbox.sink.write(message)
            except Exception:
                _log.exception("socket write failed")
                outbox.sink.abort()
        self._flush_comes = bool(self._waiting)
        if self._flush_comes:
            asyncio.get_running_loop().call_soon(self._flush)


def _joined(queue: Sequence[Prepared], known: dict[tuple[Prepared, ...], Prepared]) -> Prepared:
    key = tuple(queue)
    whole = known.get(key)
    if whole is None:
        whole = known[key] = Prepared.joined(key)
    return whole


def _prepared(dialect: Dialect, publication: Publication, updates: Sequence[Update], cursor: str) -> Prepared:
    if len(updates) == 1 and not publication.is_batch:
        return Prepared.of_update(dialect.encode_update(publication.id, updates[0], cursor), updates[0])
    return Prepared(dialect.encode_batch(publication.id, updates, cursor))
