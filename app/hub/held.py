"""Bytes that wait for sockets that take nothing: counted over all connections, and bounded."""

from collections.abc import Callable, Iterable

from app.hub.connection import Connection
from app.hub.outbox import Outbox

RELIEF = 0.9
"""Part of the total limit down to which the fullest are closed, so that it is not done again for the very next message."""


class Held:
    """Each connection is counted as if it shared nothing, and one that was closed until its socket is gone."""

    def __init__(self, connections: Iterable[Connection], close_slow: Callable[[Connection], None], max_bytes: int) -> None:
        self.bytes = 0
        self._connections = connections
        self._close_slow = close_slow
        self._max_bytes = max_bytes
        self._leaving: set[Outbox] = set()
        """Closed ones whose sockets still hold something."""

    def more(self, more_bytes: int) -> None:
        """So many bytes more wait."""
        self.bytes += more_bytes
        if self.bytes > self._max_bytes:
            self._relieve()

    def close(self, outbox: Outbox) -> None:
        """Forget what waits in it. What is stuck in the socket counts until `forget`."""
        self.bytes -= outbox.held_bytes
        outbox.close()
        self.bytes += outbox.held_bytes
        if outbox.held_bytes:
            self._leaving.add(outbox)

    def forget(self, outbox: Outbox) -> None:
        """Its socket is gone, and what was stuck in it."""
        self._leaving.discard(outbox)
        self.bytes -= outbox.stuck_bytes
        outbox.stuck_bytes = 0

    def _relieve(self) -> None:
        """Over the limit: cut those who are leaving anyhow, then close others, each time the fullest first.

        What was stuck in the sockets of the latter may leave with the goodbye, unless it is over the limit by itself.
        """
        enough_bytes = RELIEF * self._max_bytes
        self._cut_leaving(enough_bytes)
        if self.bytes <= enough_bytes:
            return
        too_many = self.bytes - enough_bytes
        for connection in sorted(self._connections, key=lambda one: one.outbox.held_bytes, reverse=True):
            if too_many <= 0:
                break
            too_many -= connection.outbox.held_bytes
            self._close_slow(connection)
        self._cut_leaving(self._max_bytes)

    def _cut_leaving(self, enough_bytes: float) -> None:
        """Cut closed ones that have not left yet, the fullest first, until no more than this is held."""
        for outbox in sorted(self._leaving, key=lambda one: one.held_bytes, reverse=True):
            if self.bytes <= enough_bytes:
                break
            self.forget(outbox)
            outbox.sink.abort()
