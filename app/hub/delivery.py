"""From a publication to sockets: find who hears, encode once per dialect, write once per connection and turn of the loop.

Why it looks as it does: at thousands of connections each line of the two inner loops costs more than everything around them.
So a message is made once and shared; what is offered to a connection in one turn of the loop leaves as one write; and connections
that wait for the same messages share one `Pending` and its joined bytes.
"""

from collections.abc import Callable

from app.hub.audience import Audience
from app.hub.connection import Connection
from app.hub.held import Held
from app.hub.messages import prepared
from app.hub.outbox import CatchingUp, Offer, Outbox
from app.hub.pending import NOTHING, Pending
from app.hub.publication import Publication, Receipt
from app.hub.registry import Registry
from app.hub.writing import Writing
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared


class Delivery:
    """Puts publications into outboxes, which are written at the end of the turn."""

    def __init__(self, registry: Registry, hang_up: Callable[[Connection], None], max_held_bytes: int) -> None:
        """`hang_up`: on one that reads too slowly; its outbox is closed already."""
        self._registry = registry
        self._hang_up = hang_up
        self._held = Held(registry, self._give_up, max_held_bytes)
        self.writing = Writing(self._held)
        self.superseded = 0
        """Messages that were thrown away because newer ones made them invisible before they could be written."""

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for sockets that take nothing, over all connections, each counted as if it shared nothing.

        Those of connections that were closed count too, until their sockets are gone.
        """
        return self._held.bytes

    def deliver(self, publication: Publication, cursor: str) -> Receipt:
        """Offer the publication to every connection here that hears it. Writing follows at the end of this turn."""
        self.writing.joined += 1
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
        first = NOTHING
        grown: dict[Pending, Pending] = {}
        seen, longer = NOTHING, NOTHING
        refused = superseded = dropped = 0
        waiting = self.writing.waiting
        for connection in hearers:
            if connection.dialect is not dialect:
                dialect = connection.dialect
                if dialect not in forms:
                    first = NOTHING.then(prepared(dialect, publication, publication.parts, cursor))
                    forms[dialect] = first, {NOTHING: first}
                first, grown = forms[dialect]
                seen, longer, dropped = NOTHING, first, 0
            outbox = connection.outbox
            pending = outbox.pending
            if pending is NOTHING and not outbox.blocked:
                outbox.pending = first
                waiting.append(outbox)
                continue
            if outbox.catch_up is not None:
                continue
            if pending is not seen:
                seen, longer = pending, grown.get(pending) or grown.setdefault(pending, pending.then(first.whole()))
                dropped = pending.count + 1 - longer.count
            if not outbox.blocked:
                outbox.pending = longer
                superseded += dropped
            elif self._put(connection, longer):
                superseded += dropped
            else:
                refused += 1
        self.superseded += superseded
        self.writing.flush_soon()
        return Receipt(publication.id, len(hearers), len(hearers) - refused)

    def offer(self, connection: Connection, message: Prepared, grown: dict[Pending, Pending] | None = None) -> bool:
        """Put one message into the outbox of one connection. False: it will not hear it.

        `grown`: what the message has made of other connections' pending messages, where several are told it. None: this one alone
        is told, and does not wait for the others.
        """
        outbox = connection.outbox
        pending = outbox.pending
        longer = pending.then(message) if grown is None else grown.get(pending) or grown.setdefault(pending, pending.then(message))
        if not self._put(connection, longer):
            return False
        self.superseded += pending.count + 1 - longer.count
        if outbox.blocked:
            return True
        if grown is None:
            self.writing.tell(outbox)
        elif pending is NOTHING:
            self.writing.schedule(outbox)
        return True

    def _put(self, connection: Connection, longer: Pending) -> bool:
        """Let this wait in place of what waited. False: the connection is leaving, or now has to."""
        outbox = connection.outbox
        more_bytes = longer.size_bytes - outbox.pending.size_bytes
        match outbox.offer(longer):
            case Offer.QUEUED | Offer.REPLACED:
                if outbox.blocked:
                    self._held.more(more_bytes)
                return not outbox.closed  # of all it may be the fullest
            case Offer.CLOSED:
                return False
            case Offer.OVERFLOW:
                self._give_up(connection)
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
                self.writing.schedule(outbox)

    def begin_catching_up(self, outbox: Outbox, catch_up: CatchingUp) -> None:
        """Deliver nothing to it until `go_live`: it is in the journal. What is offered to it meanwhile waits behind that."""
        outbox.catch_up = catch_up
        outbox.blocked = True

    def go_live(self, outbox: Outbox, missed: Pending) -> None:
        """Deliver to it from now on. First it is shown the last that it missed, then what waited behind that."""
        self._held.bytes -= outbox.held_bytes
        outbox.catch_up = None
        outbox.blocked = False
        for message in outbox.pending:
            missed = missed.then(message)
        outbox.pending = missed
        if outbox.scheduled:
            self.writing.schedule(outbox)

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
            self.writing.write([outbox])

    def _give_up(self, connection: Connection) -> None:
        """It reads too slowly. From now on it hears nothing, also if it should read again before it was hung up on."""
        self.close(connection.outbox)
        self._hang_up(connection)
