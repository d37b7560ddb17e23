"""Dead nodes whose users one of the living looks after: whoever is on no other node when the grace is over went offline."""

from collections.abc import Iterator

from app.cluster.ledger import MAX_BATCH, Batch, Item
from app.cluster.shelf import Refusal, Row, Shelf
from app.hub.roster import Listener
from app.kernel.clock import monotonic
from app.kernel.identity import User


class _Estate:
    """The users of one dead life."""

    def __init__(self, version: int, due_at: float) -> None:
        self.version = version
        self.due_at = due_at
        self.sent: Batch | None = None
        """The batch whose answer has not come."""


class Estates:
    """Those that this node looks after."""

    def __init__(self, shelf: Shelf, grace_s: float) -> None:
        self._shelf = shelf
        self._grace_s = grace_s
        self._estates: dict[str, _Estate] = {}

    def take(self, rows: Iterator[Row]) -> None:
        """Look after these, and no others."""
        due_at = monotonic() + self._grace_s
        self._estates = {row.life: self._estates.get(row.life) or _Estate(row.version, due_at) for row in rows}

    @property
    def due_in_s(self) -> float | None:
        """In how many seconds there is something to be done; None: there is nothing."""
        return min((max(estate.due_at - monotonic(), 0.0) for estate in self._estates.values()), default=None)

    async def settle_some(self, heir: str, listener: Listener) -> None:
        """Do a part of what is due. `heir`: the life of this node."""
        now = monotonic()
        life, estate = next(((life, one) for life, one in self._estates.items() if one.due_at <= now), (None, None))
        if life is None or estate is None:
            return
        estate.sent = estate.sent or await self._next_batch(life, estate.version + 1)
        if estate.sent is None:
            await self._shelf.close(life, heir)
            del self._estates[life]
            return
        told = await self._shelf.change(life, estate.sent, heir)
        if isinstance(told, Refusal):
            del self._estates[life]  # the next beat says who looks after it, and from where on
            return
        for place in told:
            listener.offline(estate.sent.items[place].user)
        estate.version, estate.sent = estate.sent.version, None

    async def _next_batch(self, life: str, version: int) -> Batch | None:
        async for found in self._shelf.users(life):
            items = [
                Item(User(user_id, record.name, frozenset(record.roles)), None, is_told=True) for user_id, record in found.items()
            ]
            if items:
                return Batch(version, items[:MAX_BATCH])
        return None
