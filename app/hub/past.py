"""What a page was before: the ids of its earlier connections, and which connection has taken over from which.

An answer to a handshake can be lost like anything else. So who has taken over a session is remembered for as long as its page may
come back to it: a page that never heard of its newest connection finds it by the session that it knows, and takes over from that.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from app.kernel.clock import monotonic

MAX_IDS = 8
"""Earlier connections of one page that are remembered: it was cut off so many times before it heard anything new."""
MAX_HEIRS = 100_000
"""Sessions that were taken over and are remembered; the oldest go first. 300 bytes each."""


class Past(NamedTuple):
    """What concerns a page that is away, or back, as far as it may not have heard of it yet."""

    ids: tuple[tuple[str, str], ...] = ()
    """Ids of its earlier connections, each with the place in the journal up to which it was that."""
    placed_until: str = ""
    """Up to which place in the journal it had said where it is, and nobody knows any more where; empty: it had not."""

    def and_then(self, connection_id: str, until: str, *, was_placed: bool, heard_until: str | None) -> "Past":
        """This, and a further connection. `heard_until`: what is older does not matter any more; None: nothing does."""
        if heard_until is None:
            return NO_PAST
        ids = tuple(one for one in (*self.ids, (connection_id, until)) if one[1] > heard_until)[-MAX_IDS:]
        placed_until = until if was_placed else self.placed_until
        return Past(ids, placed_until if placed_until > heard_until else "")

    def id_at(self, cursor: str, connection_id: str) -> str:
        """Under which id the page was known at this place; now it is known under this one."""
        return next((one for one, until in self.ids if cursor <= until), connection_id)


NO_PAST: Final = Past()


class Heirs:
    """Who took over from which connection. Looked through when another one does: no timers."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._heirs: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, connection_id: str, heir_id: str) -> None:
        """A new connection has taken over from this one."""
        now = monotonic()
        self._heirs[connection_id] = heir_id, now
        self._heirs.move_to_end(connection_id)
        while len(self._heirs) > MAX_HEIRS or now - next(iter(self._heirs.values()))[1] > self._within_s:
            self._heirs.popitem(last=False)

    def newest(self, connection_id: str) -> str:
        """The last of those that took over from it, one from the other; itself, where none did."""
        since = monotonic() - self._within_s
        while (found := self._heirs.get(connection_id)) is not None and found[1] >= since:
            connection_id = found[0]
        return connection_id

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._heirs)
