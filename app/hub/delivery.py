"""From a publication to sockets: find who hears, encode once per dialect, write once per connection and turn of the loop.

Why it looks as it does: at thousands of connections each line of the two inner loops costs more than everything around them.
So a message is made once and shared; what is offered to a connection in one turn of the loop leaves as one write; connections that
wait for the same messages share one `Pending` and its joined bytes; and a long flush gives the loop back every few milliseconds.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from app.hub.audience import Audience
from app.hub.connection import Connection
from app.hub.held import Held
from app.hub.messages import prepared
from app.hub.outbox import CatchingUp, Offer, Outbox
from app.hub.pending import NOTHING, Pending
from app.hub.publication import Publication, Receipt
from app.hub.registry import Registry
from app.hub.rounds import Rounds, Timing
from app.kernel.clock import monotonic
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared

MAX_HOLD_S = 0.002
"""Seconds that one stretch of writing may hold the loop. Short ones let publications in while a round goes on, and what is joined
saves writes: with 1,000 connections and one publisher 2 ms deliver 1.4 times as much as 5 ms, and sooner."""
CHECK_EVERY = 32
"""Writes between two looks at the clock: 0.2 ms, or 8 ms where each must compress 20 KB of its own."""
MAX_AHEAD = 2_000
"""Connections that wait to be written to, past which a publisher waits with them: some 10 ms of writing."""
MAX_JOINED = 64
"""Publications in one round past which publishers wait: what is joined for one connection should fit into its socket's buffer."""

_log = structlog.get_logger()


class Delivery:
    """Puts publications into outboxes, and flushes outboxes at the end of the turn."""

    def __init__(self, registry: Registry, close_slow: Callable[[Connection], None], max_held_bytes: int) -> None:
        self._registry = registry
        self._close_slow = close_slow
        self._held = Held(registry, close_slow, max_held_bytes)
        self._waiting: list[Outbox] = []
        """Outboxes of the next round."""
        self._round: list[Outbox] = []
        self._at = 0
        """How far the round that is going on has come."""
        self._rounds = Rounds()
        self._joined = 0
        """Publications since the last round has ended."""
        self._flush_comes = False
        self.sent_bytes = 0
        """Bytes that were given to sockets, as if nothing were compressed."""
        self.superseded = 0
        """Messages that were thrown away because newer ones made them invisible before they could be written."""

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for sockets that take nothing, over all connections, each counted as if it shared nothing.

        Those of connections that were closed count too, until their sockets are gone.
        """
        return self._held.bytes

    @property
    def ahead(self) -> int:
        """How many connections wait to be written to."""
        return len(self._waiting) + len(self._round) - self._at

    async def until_few_wait(self) -> None:
        """Return at once while little waits to be written; else when all that was offered until now has been.

        So a publisher that waits for its answer is never faster than the sockets, and the updates of many do not pile up.
        """
        if self.ahead > MAX_AHEAD or self._joined > MAX_JOINED:
            await self.until_written()

    async def until_written(self) -> None:
        """Return when all that was offered until now was written to the sockets that take it."""
        if self.ahead:
            await self._rounds.until_next_ends()

    def time(self, timing: Timing) -> None:
        """Count the time until all that was offered until now is written; where nothing waits for that, nothing."""
        if self.ahead:
            self._rounds.time(timing)

    def deliver(self, publication: Publication, cursor: str) -> Receipt:
        """Offer the publication to every connection here that hears it. Writing follows at the end of this turn."""
        self._joined += 1
        parts = publication.parts
        if len(parts) == 1 and not publication.is_batch:
            return self._deliver_one(publication, cursor)
        audiences: dict[Audience, list[int]] = {}
        for place, part in enumerate(parts):
            audiences.setdefault(part.audience, []).append(place)
        heard: dict[Connection, list[Audience]] = {}
        for audience in audiences:
            for connection in self._registry.resolve(audience):
                heard.setdefault(connection, []).append(audience)
        messages: dict[tuple[str, tuple[int, ...]], tuple[Prepared, dict[Pending, Pending]]] = {}
        queued = 0
        for connection, its_own in heard.items():
            key = connection.dialect.name, tuple(map(id, its_own))
            if key not in messages:
                places = sorted(place for audience in its_own for place in audiences[audience])
                messages[key] = prepared(connection.dialect, publication, [parts[place] for place in places], cursor), {}
            queued += connection.outbox.catch_up is not None or self.offer(connection, *messages[key])
        return Receipt(publication.id, len(heard), queued)

    def _deliver_one(self, publication: Publication, cursor: str) -> Receipt:
        """The same for one update. Nearly every connection waits for nothing, or for what all others wait for: 0.1 µs each."""
        hearers = tuple(self._registry.resolve(publication.parts[0].audience))  # a copy: closing a slow one changes the index
        forms: dict[Dialect, tuple[Pending, dict[Pending, Pending]]] = {}  # dialects share nothing, not even what follows NOTHING
        dialect: Dialect | None = None
        first, grown = NOTHING, dict[Pending, Pending]()
        seen, longer = NOTHING, NOTHING
        refused = superseded = dropped = 0
        for connection in hearers:
            if connection.dialect is not dialect:
                dialect = connection.dialect
                if dialect not in forms:
                    forms[dialect] = NOTHING.then(prepared(dialect, publication, publication.parts, cursor)), {}
                first, grown = forms[dialect]
                seen = NOTHING
            outbox = connection.outbox
            pending = outbox.pending
            if outbox.blocked:
                refused += outbox.catch_up is None and not self.offer(connection, first.whole(), grown)
            elif pending is NOTHING:
                outbox.pending = first
                self._waiting.append(outbox)
            else:
                if pending is not seen:
                    seen, longer = pending, grown.get(pending) or grown.setdefault(pending, pending.then(first.whole()))
                    dropped = pending.count + 1 - longer.count
                outbox.pending = longer
                superseded += dropped
        self.superseded += superseded
        self._flush_soon()
        return Receipt(publication.id, len(hearers), len(hearers) - refused)

    def offer(self, connection: Connection, message: Prepared, grown: dict[Pending, Pending] | None = None) -> bool:
        """Put one message into the outbox of one connection. False: it was not taken. `grown`: as for `Outbox.offer`."""
        outbox = connection.outbox
        pending = outbox.pending
        match outbox.offer(message, grown):
            case Offer.QUEUED | Offer.REPLACED:
                self.superseded += pending.count + 1 - outbox.pending.count
                if outbox.blocked:
                    self._held.more(outbox.pending.size_bytes - pending.size_bytes)
                    return not outbox.closed  # it may be the fullest
                if pending is NOTHING:
                    self._schedule(outbox)
                return True
            case Offer.CLOSED:
                return False
            case Offer.OVERFLOW:
                self._close_slow(connection)
                return False

    def unblock(self, outbox: Outbox) -> None:
        """The socket takes more again: write what has waited."""
        if outbox.catch_up is not None:
            self._held.bytes -= outbox.stuck_bytes
            outbox.stuck_bytes = 0
            outbox.catch_up.writable()
        elif outbox.blocked and not outbox.closed:
            self._held.bytes -= outbox.held_bytes
            outbox.blocked = False
            outbox.stuck_bytes = 0
            if outbox.scheduled:
                self._schedule(outbox)

    def begin_catching_up(self, outbox: Outbox, catch_up: CatchingUp) -> None:
        """Deliver nothing to it until `go_live`: it is in the journal. What is offered to it meanwhile waits behind that."""
        outbox.catch_up = catch_up
        outbox.blocked = True

    def write_missed(self, outbox: Outbox, missed: Pending) -> bool:
        """Write past what waits, while it catches up. False: no more before `CatchingUp.writable`, or never."""
        outbox.sent_count += missed.count
        self.sent_bytes += missed.size_bytes
        try:
            if outbox.sink.write(missed.whole()):
                return True
            self._block(outbox)
        except Exception:
            _drop(outbox)
        return False

    def go_live(self, outbox: Outbox, missed: Pending) -> None:
        """Deliver to it from now on. First it is shown the last that it missed, then what waited behind that."""
        self._held.bytes -= outbox.held_bytes
        outbox.catch_up = None
        outbox.blocked = False
        for message in outbox.pending:
            missed = missed.then(message)
        outbox.pending = missed
        if outbox.scheduled:
            self._schedule(outbox)

    def close(self, outbox: Outbox) -> None:
        """Write nothing more, and forget what waits. What is stuck in the socket counts until `forget`."""
        self._held.close(outbox)
        if outbox.catch_up is not None:
            catch_up, outbox.catch_up = outbox.catch_up, None
            catch_up.stop()

    def forget(self, outbox: Outbox) -> None:
        """Its socket is gone, and what was stuck in it."""
        self.close(outbox)
        self._held.forget(outbox)

    def write_last(self, outbox: Outbox) -> None:
        """Write at once what waits, if the socket takes anything: it is about to be closed."""
        if outbox.scheduled:
            self._write([outbox])

    def _schedule(self, outbox: Outbox) -> None:
        self._waiting.append(outbox)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self.ahead and not self._flush_comes:
            self._flush_comes = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what waits, in rounds. What is left when the time is over goes on in the next turn, behind other work.

        What is published meanwhile is joined to what waits for those whom this round still comes to; for the others it makes the
        next round.
        """
        if not self._round:
            self._round, self._waiting, self._at = self._waiting, [], 0
            self._rounds.begin()
        until = monotonic() + MAX_HOLD_S
        try:
            while self._at < len(self._round):
                share = self._round[self._at : self._at + CHECK_EVERY]
                self._at += len(share)
                self._write(share)
                if monotonic() > until:
                    break
            if self._at >= len(self._round):
                self._end_round()
        finally:
            self._flush_comes = False
            self._flush_soon()

    def _end_round(self) -> None:
        self._round, self._at, self._joined = [], 0, 0
        self._rounds.end(is_last=not self._waiting)

    def _write(self, outboxes: Sequence[Outbox]) -> None:
        """One write each. Most wait for the same messages, which are looked up once: 0.3 µs beside the write itself."""
        last, message = NOTHING, NOTHING.whole()
        sent_bytes = size_bytes = 0
        for outbox in outboxes:
            pending = outbox.pending
            if pending is NOTHING:  # it was closed meanwhile
                continue
            outbox.pending = NOTHING
            outbox.sent_count += pending.count
            try:
                if pending is not last:
                    last, message, size_bytes = pending, pending.whole(), pending.size_bytes
                sent_bytes += size_bytes
                if not outbox.sink.write(message):
                    self._block(outbox)
            except Exception:
                _drop(outbox)
        self.sent_bytes += sent_bytes

    def _block(self, outbox: Outbox) -> None:
        """The socket takes no more for now. What it could not pass on counts as waiting."""
        outbox.blocked = True
        outbox.stuck_bytes = outbox.sink.buffered_bytes()
        self._held.more(outbox.stuck_bytes)


def _drop(outbox: Outbox) -> None:
    """Its socket failed. Whatever else fails now must not keep the others from being written to."""
    with suppress(Exception):
        outbox.sink.abort()
    with suppress(Exception):
        _log.exception("socket write failed")
