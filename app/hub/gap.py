"""What pages are told when the journal has lost something: each may have missed it, and nobody knows any more what it was."""

from collections.abc import Iterable

from app.hub.connection import Connection
from app.hub.delivery import Delivery
from app.hub.pending import Pending
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared


def tell_gap(connections: Iterable[Connection], delivery: Delivery, head: str) -> None:
    """Tell it to all that know such a message, behind what they were told before. From `head` on they hear everything.

    Those that catch up are left: they read on from where nothing is any more, and are told when they find that.
    """
    known: dict[Dialect, tuple[Prepared, dict[Pending, Pending]] | None] = {}
    for connection in tuple(connections):
        dialect = connection.dialect
        if dialect not in known:
            payload = dialect.encode_gap(head, ())
            known[dialect] = (Prepared(payload), {}) if payload is not None else None
        message = known[dialect]
        if message is not None and connection.outbox.catch_up is None:
            delivery.offer(connection, *message)
