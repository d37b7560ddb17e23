"""The users of this node, and what of them is not in Redis yet. No I/O.

Changes leave in numbered batches, one at a time. A batch whose answer was lost is sent again as it is, and Redis knows its number:
so nothing is done twice, and nobody is told twice that somebody came.

Each life of the node in Redis is a new one, into which all users are entered anew:
- the node was held for dead, and the others have taken over what it had: they have told, or will tell, who went offline. Whoever is
  entered now is told as online if that has happened;
- Redis has lost what it had. Then whoever was online is entered silently, and nobody is told as offline before all other nodes had
  the time to enter theirs.
"""

from datetime import datetime
from typing import NamedTuple

from app.cluster.change import GONE, Change, Record, encode
from app.kernel.clock import monotonic
from app.kernel.identity import User

MAX_BATCH = 200
"""Users in one batch: on ten nodes, some 4 ms in which Redis serves nobody else."""


class Entry:
    """A user of this node. 200 bytes, the user's name not counted."""

    __slots__ = ("connections", "is_known", "is_over", "is_silent", "since", "user")

    def __init__(self, user: User, *, is_known: bool) -> None:
        self.user = user
        self.connections = 1
        self.since: datetime | None = None
        self.is_over = False
        """The grace is over; it stands here until Redis knows."""
        self.is_known = is_known
        """Whether the cluster holds the user for online already."""
        self.is_silent = False
        """Whether nobody is to be told when it is entered."""


class Item(NamedTuple):
    """One user in a batch."""

    user: User
    record: Record | None
    """None: is to be removed."""
    is_told: bool
    """Whether somebody is to be told, if it is the first entry of the user in the cluster, or was the last one."""


class Batch(NamedTuple):
    """What Redis is told at once."""

    version: int
    items: list[Item]

    def change(self, life: str) -> bytes:
        """What the other nodes are told of it."""
        users = [
            (one.user.id, GONE, None) if one.record is None else (one.user.id, one.record.connections, one.record.since)
            for one in self.items
        ]
        return encode(Change(life, self.version, users))


class Ledger:
    """The users of this node."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._changed: dict[str, None] = {}
        """Ids of users, the one that waits longest first."""
        self._held: set[str] = set()
        """Those whose grace is over, and who must not be told as offline yet."""
        self._hold_until = 0.0
        self._sent: Batch | None = None
        """The batch whose answer has not come."""
        self._version = 0

    def has(self, user: User, connections: int, since: datetime | None, *, is_known: bool = False) -> None:
        """Note how many connections a user has. `is_known`: of a new one, whether the cluster holds it for online already."""
        entry = self._entries.get(user.id)
        if entry is None:
            entry = self._entries[user.id] = Entry(user, is_known=is_known)
        elif (entry.user.name, entry.user.roles, entry.connections, entry.is_over) == (user.name, user.roles, connections, False):
            return
        entry.user, entry.connections, entry.since, entry.is_over = user, connections, since, False
        self._held.discard(user.id)
        self._changed[user.id] = None

    def gone(self, user_id: str) -> None:
        """Note that the grace of a user is over."""
        self._entries[user_id].is_over = True
        self._changed[user_id] = None

    def hold_back(self, seconds: float) -> None:
        """Nobody is to be told as offline for so long."""
        self._hold_until = max(self._hold_until, monotonic() + seconds)

    @property
    def has_changed(self) -> bool:
        """Whether there is something to be sent."""
        self._release()
        return self._sent is not None or bool(self._changed)

    @property
    def held_for_s(self) -> float | None:
        """In how many seconds there will be something to be sent; None: nothing is held back."""
        return max(self._hold_until - monotonic(), 0.0) if self._held else None

    def next_batch(self) -> Batch | None:
        """What is to be sent, until `answered`; None: nothing."""
        self._release()
        if self._sent is None and self._changed:
            user_ids = list(self._changed)[:MAX_BATCH]
            for user_id in user_ids:
                del self._changed[user_id]
            self._version += 1
            self._sent = Batch(self._version, [self._item(user_id) for user_id in user_ids])
        return self._sent

    def answered(self) -> None:
        """Redis has done it."""
        items, self._sent = (self._sent.items if self._sent is not None else []), None
        for item in items:
            entry = self._entries.get(item.user.id)
            if entry is None:
                continue
            entry.is_known, entry.is_silent = item.record is not None, False
            if item.record is None and item.user.id not in self._changed:
                del self._entries[item.user.id]

    def begin_life(self, *, is_lost: bool, hold_s: float) -> None:
        """Enter all users anew. `is_lost`: Redis has lost what it had; then whoever went offline is held back for so long."""
        self._sent, self._version = None, 0
        self._held.clear()
        if is_lost:
            self.hold_back(hold_s)
        for user_id, entry in tuple(self._entries.items()):
            if entry.is_over and not (is_lost and entry.is_known):
                del self._entries[user_id]  # whoever took over has told it, or nobody knew of the user
            else:
                entry.is_silent = is_lost and entry.is_known
                entry.is_known = entry.is_silent
        self._changed = dict.fromkeys(self._entries)

    def __len__(self) -> int:
        """How many users there are, the grace included."""
        return len(self._entries)

    def _release(self) -> None:
        if self._held and monotonic() >= self._hold_until:
            self._changed.update(dict.fromkeys(self._held))
            self._held.clear()

    def _item(self, user_id: str) -> Item:
        entry = self._entries[user_id]
        if entry.is_over and monotonic() < self._hold_until:
            self._held.add(user_id)
        elif entry.is_over:
            return Item(entry.user, None, is_told=True)
        since = entry.since.timestamp() if entry.since is not None else None
        record = Record(entry.connections, since, entry.user.name, tuple(sorted(entry.user.roles)))
        return Item(entry.user, record, is_told=not entry.is_silent)
