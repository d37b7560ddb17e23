"""The hub: publish, deliver here, open and close connections."""

from collections import OrderedDict

import structlog

from app.hub import publication as publications
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.delivery import Delivery
from app.hub.hooks import Hooks
from app.hub.outbox import Outbox
from app.hub.port import Sink
from app.hub.publication import Publication, Receipt
from app.hub.registry import Registry
from app.journal.port import Entry, Journal
from app.kernel.clock import utc_now
from app.kernel.identity import User
from app.kernel.ids import new_short_id
from app.kernel.transaction import refuse_inside_transaction
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared
from app.wire.update import Update

RECEIPTS_KEPT = 10_000
"""Newest publications whose receipt can be asked for: about 2 MiB."""

_log = structlog.get_logger()


class Hub:
    """One per process. Follows the journal from `start()` to `stop()`."""

    def __init__(self, journal: Journal, *, outbox_bytes: int) -> None:
        self.registry = Registry()
        self.delivery = Delivery(self.registry, close_slow=lambda connection: self.close(connection, Close.SLOW))
        self.on_connection: Hooks[Connection] = Hooks("connection")
        self.on_disconnection: Hooks[Connection] = Hooks("disconnection")
        self._journal = journal
        self._outbox_bytes = outbox_bytes
        self._receipts: OrderedDict[str, Receipt] = OrderedDict()
        self._unfollow = journal.follow(self.deliver_local)

    async def publish(self, publication: Publication) -> Receipt:
        """Give the publication its place in the journal; every node delivers it. Returns what this node's share was.

        Raises PublishedInsideTransaction inside an open transaction, ValueError for what is over a limit. Not safe to cancel: it
        may be delivered all the same.
        """
        refuse_inside_transaction()
        await self._journal.append(publications.encode(publication))
        return self._receipts[publication.id]

    def deliver_local(self, entry: Entry) -> None:
        """Deliver one entry of the journal to the connections of this node."""
        publication = publications.decode(entry.payload)
        self._receipts[publication.id] = self.delivery.deliver(publication, entry.cursor)
        if len(self._receipts) > RECEIPTS_KEPT:
            self._receipts.popitem(last=False)

    def receipt(self, publication_id: str) -> Receipt | None:
        """What became of a publication; None when it is unknown or too long ago."""
        return self._receipts.get(publication_id)

    def connect(self, sink: Sink, dialect: Dialect, user: User | None, *, address: str, user_agent: str) -> Connection:
        """Register a socket whose handshake has ended. From here on it hears; the first thing it hears is `hello`."""
        connection = Connection(
            new_short_id(),
            user=user,
            dialect=dialect,
            outbox=Outbox(sink, self._outbox_bytes),
            address=address,
            user_agent=user_agent,
            send=self.send,
            close=self.close,
        )
        hello = dialect.encode_hello(connection.id, self._journal.head(), resumed=False)
        if hello is not None:
            self.delivery.offer(connection, Prepared(hello))
        self.registry.add(connection)
        self.on_connection.fire(connection)
        return connection

    def disconnect(self, connection: Connection, code: int, reason: str) -> None:
        """Forget a connection whose socket is gone."""
        connection.outbox.close()
        if not self.registry.remove(connection) and connection.closed_at is not None:
            return
        connection.closed_at = utc_now()
        self.on_disconnection.fire(connection)
        _log.info(
            "connection closed",
            connection=connection.id,
            user=connection.user.id if connection.user else None,
            dialect=connection.dialect.name,
            seconds=round((connection.closed_at - connection.connected_at).total_seconds(), 3),
            sent=connection.sent_count,
            received=connection.received_count,
            code=code,
            reason=reason,
        )

    def send(self, connection: Connection, update: Update, message_id: str | None = None) -> None:
        """Put one update into one outbox, past the journal: answers, and what only this connection is told."""
        payload = connection.dialect.encode_update(message_id or new_short_id(), update, "")
        self.delivery.offer(connection, Prepared(payload))

    def close(self, connection: Connection, why: Close = Close.BACK_OFFICE, reason: str | None = None) -> None:
        """Say why and hang up. The connection hears nothing more from this moment on."""
        if connection.outbox.closed:
            return
        connection.closed_as = why
        self._flush_last_words(connection)
        connection.outbox.close()
        self.registry.remove(connection)
        connection.outbox.sink.close(why.code, reason or why.reason)

    def close_all(self, why: Close) -> None:
        """Close every connection of this node."""
        for connection in tuple(self.registry):
            self.close(connection, why)

    def stop(self) -> None:
        """Follow the journal no longer."""
        self._unfollow()

    def _flush_last_words(self, connection: Connection) -> None:
        """What was queued before the close was meant to be read: it goes first, if the socket takes it."""
        outbox = connection.outbox
        if outbox.queue and not outbox.blocked:
            outbox.sink.write(Prepared.joined(outbox.queue))
