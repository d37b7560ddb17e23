"""Entries of the journal as those hear them who come back: read once and encoded once for all who missed the same.

When a proxy is restarted, thousands come back within a second, and all missed the same twenty broadcasts.
"""

from collections import OrderedDict
from collections.abc import Collection, Container
from typing import NamedTuple

from app.hub import publication as publications
from app.hub.audience import Audience, hears
from app.hub.connection import Connection
from app.hub.delivery import prepared
from app.hub.geometry import Place
from app.hub.publication import Publication
from app.journal.port import Entry
from app.kernel.identity import User
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared

MAX_PAYLOAD_BYTES = 4_194_304
"""Payloads whose publications are remembered. With what is made of them it is some five times as much."""


class _Recalled(NamedTuple):
    publication: Publication
    messages: dict[tuple[Dialect, tuple[int, ...]], Prepared]
    """What is told to pages of this dialect that hear these parts."""


class Recall:
    """The entries that were asked for last."""

    def __init__(self) -> None:
        self._recalled: OrderedDict[str, tuple[_Recalled, int]] = OrderedDict()
        self._payload_bytes = 0

    def publication(self, entry: Entry) -> Publication:
        """What the entry is."""
        return self._of(entry).publication

    def message(self, entry: Entry, dialect: Dialect, heard: tuple[int, ...]) -> Prepared:
        """What a page is told that hears these parts of the entry, by their places."""
        publication, messages = self._of(entry)
        known = messages.get((dialect, heard))
        if known is None:
            updates = [publication.parts[place].update for place in heard]
            known = messages[dialect, heard] = prepared(dialect, publication, updates, entry.cursor)
        return known

    def _of(self, entry: Entry) -> _Recalled:
        known = self._recalled.get(entry.cursor)
        if known is not None:
            return known[0]
        recalled = _Recalled(publications.decode(entry.payload), {})
        self._recalled[entry.cursor] = recalled, len(entry.payload)
        self._payload_bytes += len(entry.payload)
        while self._payload_bytes > MAX_PAYLOAD_BYTES:
            self._payload_bytes -= self._recalled.popitem(last=False)[1][1]
        return recalled


class Hearing:
    """A connection as it would have heard what has a place in the journal: who it is now, where its page was then."""

    __slots__ = ("_before", "_connected_at", "_connection", "_cursor")

    def __init__(self, connection: Connection, connected_at: str, before: str | None) -> None:
        """`connected_at`: the place of what was delivered last when it connected. `before`: the id of its page until then."""
        self._connection = connection
        self._connected_at = connected_at
        self._before = before or connection.id
        self._cursor = ""

    @property
    def id(self) -> str:
        """The id by which it was meant: what was sent to all but one page was not for that one, under whatever id it is back."""
        return self._before if self._cursor <= self._connected_at else self._connection.id

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

    def parts_of(self, publication: Publication, cursor: str, shown: Container[str] = ()) -> tuple[int, ...]:
        """The places of the parts that it hears, without those of things that it was shown already."""
        parts = enumerate(publication.parts)
        return tuple(place for place, part in parts if part.key not in shown and self.hears(part.audience, cursor))

    def hears(self, audience: Audience, cursor: str) -> bool:
        """Whether it hears what has this place and is for this audience."""
        self._cursor = cursor
        return hears(self, audience)
