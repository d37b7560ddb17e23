"""How connections end: out of the registry, their users offline if these were the last ones, and told why."""

from functools import partial

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.presence import Presence
from app.hub.registry import Registry
from app.hub.returning import Returning
from app.kernel.stretches import Stretches

MAX_HOLD_S = 0.001
"""Seconds for which the slow ones hold the loop at a time. All that read nothing are found out by one and the same publication, and
each takes 35 µs: 2,000 held it for 70 ms."""


class Leaving:
    """What is done for each connection that ends, whoever ends it."""

    def __init__(self, registry: Registry, returning: Returning, presence: Presence) -> None:
        self._registry = registry
        self._returning = returning
        self._presence = presence
        self._slow = Stretches(MAX_HOLD_S)

    def forget(self, connection: Connection) -> bool:
        """Take the connection out of the registry, and its user offline if it was the last one. False: it was out already."""
        if self._registry.get(connection.id) is None:
            return False
        self._returning.left(connection)
        self._registry.remove(connection)
        user = connection.user
        if user is not None:
            if not self._registry.is_connected(user.id):
                self._returning.just_left.add(user.id)
            self._presence.left(user)
        return True

    def hang_up(self, connection: Connection, why: Close, reason: str) -> None:
        """Forget it, and say why. Its outbox is closed already."""
        connection.closed_as = why
        self.forget(connection)
        connection.outbox.sink.close(why.code, reason)

    def hang_up_slow(self, connection: Connection) -> None:
        """The same when its turn comes, unless somebody else did it until then: it read too slowly."""
        connection.closed_as = Close.SLOW
        self._slow.add(partial(self._hang_up_slow, connection))

    def _hang_up_slow(self, connection: Connection) -> None:
        if self._registry.get(connection.id) is not None:
            self.hang_up(connection, Close.SLOW, Close.SLOW.reason)
