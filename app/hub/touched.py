"""What was touched, and for whom, long after the journal has forgotten what it was.

A page in a quiet corner hears nothing for an hour, so its cursor is an hour old. When it comes back, the entries after that are
gone; but whether any of them was for this page, and which targets it must look after, is still known.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence

import msgspec

from app.hub.audience import Audience, Connections, Rooms, Users
from app.hub.publication import Publication

MAX_WEIGHT = 8_388_608
"""Bytes of audiences and targets that are remembered, about: 15,000 targets of single users."""
_ENTRY_BYTES = 512
_IN_MEMORY = 8
"""An audience takes about so many times the bytes in memory that it takes in the journal."""

_encode = msgspec.msgpack.Encoder().encode
Targets = tuple[str, ...]
_Key = tuple[Audience, Targets]


class Touched:
    """For each audience and its targets the newest place in the journal.

    What is for one user, room or connection stands under that: a page looks at its own, and at what is for many.
    """

    def __init__(self, since: str) -> None:
        self._since = since
        """All that came after this place is here."""
        self._newest: OrderedDict[_Key, tuple[str, int]] = OrderedDict()
        """Place and weight, longest ago first."""
        self._under: dict[Audience | None, dict[_Key, None]] = {}
        """The same, by whom it was for, longest ago first; None: for many."""
        self._weight = 0

    def note(self, publication: Publication, cursor: str) -> None:
        """A publication was delivered that has this place. Places increase."""
        for part in publication.parts:
            update = part.update
            key = part.audience, (update.target, *[further.target for further in update.oob])
            known = self._newest.get(key)
            weight = known[1] if known is not None else self._weigh(*key)
            self._newest[key] = cursor, weight
            self._newest.move_to_end(key)
            there = self._under.setdefault(_single(part.audience), {})
            there.pop(key, None)
            there[key] = None
        while self._weight > MAX_WEIGHT:
            self._forget_oldest()

    def knows(self, after: str, head: str) -> bool:
        """Whether all is known that came after this place."""
        return self._since <= after <= head

    def after(self, cursor: str, own: Collection[Audience]) -> Sequence[tuple[str, Audience, Targets]]:
        """What was touched after this place: its newest place, who heard it, in which targets.

        `own`: whom of those with something of their own it concerns, each alone: a user, a room, a connection.
        """
        found = []
        for whose in (*own, None):
            for key in reversed(self._under.get(whose, {})):
                place, _ = self._newest[key]
                if place <= cursor:
                    break
                found.append((place, *key))
        return found

    def _forget_oldest(self) -> None:
        key, (self._since, weight) = self._newest.popitem(last=False)
        self._weight -= weight
        whose = _single(key[0])
        del self._under[whose][key]
        if not self._under[whose]:
            del self._under[whose]

    def _weigh(self, audience: Audience, targets: Targets) -> int:
        weight = _ENTRY_BYTES + _IN_MEMORY * len(_encode(audience)) + sum(map(len, targets))
        self._weight += weight
        return weight


def _single(audience: Audience) -> Audience | None:
    """The audience, if it is one user, room or connection; else None."""
    return audience if isinstance(audience, Users | Rooms | Connections) and len(audience.ids) == 1 else None
