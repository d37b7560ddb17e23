"""Entries of the journal as those hear them who come back: read once and encoded once for all who missed the same.

When a proxy is restarted, thousands come back within a second, and all missed the same twenty broadcasts.
"""

from collections import OrderedDict
from collections.abc import Collection, Container

from app.hub import publication as publications
from app.hub.audience import Audience, Connections, Rooms, Users, hears
from app.hub.connection import Connection
from app.hub.geometry import Place
from app.hub.messages import prepared
from app.hub.publication import Publication
from app.journal.port import Entry
from app.kernel.clock import monotonic
from app.kernel.identity import User
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared

KEPT_S = 60.0
"""Seconds for which an entry is remembered. Those who come back together do so within seconds, and the journal forgets it, too."""
MAX_BYTES = 16_777_216
"""Payloads of the entries that are remembered, and the messages made of them. What is decoded of a payload is not counted: it takes
a few times as much."""


class _Recalled:
    __slots__ = ("at", "messages", "publication", "size_bytes")

    def __init__(self, publication: Publication, size_bytes: int) -> None:
        self.at = monotonic()
        self.publication = publication
        self.messages: dict[tuple[Dialect, tuple[int, ...]], Prepared] = {}
        """What is told to pages of this dialect that hear these parts."""
        self.size_bytes = size_bytes


class Recall:
    """The entries that were asked for last."""

    def __init__(self) -> None:
        self._recalled: OrderedDict[str, _Recalled] = OrderedDict()
        self._bytes = 0

    def publication(self, entry: Entry) -> Publication:
        """What the entry is."""
        return self._of(entry).publication

    def message(self, entry: Entry, dialect: Dialect, heard: tuple[int, ...]) -> Prepared:
        """What a page is told that hears these parts of the entry, by their places."""
        recalled = self._of(entry)
        known = recalled.messages.get((dialect, heard))
        if known is None:
            publication = recalled.publication
            parts = [publication.parts[place] for place in heard]
            known = recalled.messages[dialect, heard] = prepared(dialect, publication, parts, entry.cursor)
            if entry.cursor in self._recalled:  # else it was too long to be remembered
                self._grow(recalled, len(known))
        return known

    def _of(self, entry: Entry) -> _Recalled:
        recalled = self._recalled.get(entry.cursor)
        if recalled is None:
            self._forget_old()
            recalled = self._recalled[entry.cursor] = _Recalled(publications.decode(entry.payload), 0)
            self._grow(recalled, len(entry.payload))
        return recalled

    def _grow(self, recalled: _Recalled, more_bytes: int) -> None:
        """Forget the entries that were first asked for longest ago, while it is too much: this one, too."""
        recalled.size_bytes += more_bytes
        self._bytes += more_bytes
        while self._bytes > MAX_BYTES:
            self._forget_one()

    def _forget_old(self) -> None:
        too_old = monotonic() - KEPT_S
        while self._recalled and next(iter(self._recalled.values())).at < too_old:
            self._forget_one()

    def _forget_one(self) -> None:
        self._bytes -= self._recalled.popitem(last=False)[1].size_bytes


class Hearing:
    """A connection as it would have heard what has a place in the journal: who it is now, where its page was then."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = ""

    @property
    def id(self) -> str:
        """The id by which it was meant: what was sent to all but one page was not for that one, under whatever id it is back."""
        return self._connection.past.id_at(self._cursor, self._connection.id)

    @property
    def user(self) -> User | None:
        """Who it is now."""
        return self._connection.user

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that it is in, and was in then: who joins later is shown what was said before."""
        return self._connection.rooms_at(self._cursor)

    @property
    def place(self) -> Place | None:
        """Where it is, if it has said so by now."""
        return self._connection.place

    @property
    def own(self) -> Collection[Audience]:
        """The audiences of one user, room or connection that it belongs to, under whatever id."""
        connection = self._connection
        ids = (connection.id, *(earlier for earlier, _ in connection.past.ids))
        pages: list[Audience] = [Connections(frozenset({one})) for one in ids]
        rooms: list[Audience] = [Rooms(frozenset({room_id})) for room_id in connection.rooms]
        return (*pages, *rooms) if self.user is None else (*pages, *rooms, Users(frozenset({self.user.id})))

    def parts_of(self, publication: Publication, cursor: str, shown: Container[str] = ()) -> tuple[int, ...]:
        """The places of the parts that it hears, without those of things that it was shown already."""
        parts = enumerate(publication.parts)
        return tuple(place for place, part in parts if part.key not in shown and self.hears(part.audience, cursor))

    def hears(self, audience: Audience, cursor: str) -> bool:
        """Whether it hears what has this place and is for this audience."""
        self._cursor = cursor
        return hears(self, audience)

    def heard_until(self, audience: Audience, cursor: str) -> bool:
        """Whether it heard something for this audience, the newest of which has this place. It may have had another id before."""
        earlier = [until for _, until in self._connection.past.ids if until < cursor]
        return any(self.hears(audience, at) for at in (cursor, *earlier))

    def is_lost_since(self, cursor: str) -> bool:
        """Whether it had said where it is, some time after this place, and nobody knows any more where."""
        return self._connection.place is None and cursor < self._connection.past.placed_until
