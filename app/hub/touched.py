"""What was touched, and for whom, long after the journal has forgotten what it was.

A page in a quiet corner hears nothing for an hour, so its cursor is an hour old. When it comes back, the entries after that are
gone; but whether any of them was for this page, and which targets it must look after, is still known.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from app.hub.audience import Audience
from app.hub.publication import Publication

MAX_WEIGHT = 8_388_608
"""Bytes of audiences and targets that are remembered, about: 30,000 targets of single users."""
_ENTRY_BYTES = 256
_IN_MEMORY = 8
"""An audience takes about so many times the bytes in memory that it takes in the journal."""

_encode = msgspec.msgpack.Encoder().encode
Targets = tuple[str, ...]


class Touched:
    """For each audience and its targets the newest place in the journal."""

    def __init__(self, since: str) -> None:
        self._since = since
        """All that came after this place is here."""
        self._newest: OrderedDict[tuple[Audience, Targets], tuple[str, int]] = OrderedDict()
        """Place and weight, longest ago first."""
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
        while self._weight > MAX_WEIGHT:
            self._since, weight = self._newest.popitem(last=False)[1]
            self._weight -= weight

    def knows(self, after: str, head: str) -> bool:
        """Whether all is known that came after this place."""
        return self._since <= after <= head

    def after(self, cursor: str) -> Sequence[tuple[str, Audience, Targets]]:
        """What was touched after this place: its newest place, who heard it, in which targets. Newest first."""
        found = []
        for (audience, targets), (place, _) in reversed(self._newest.items()):
            if place <= cursor:
                break
            found.append((place, audience, targets))
        return found

    def _weigh(self, audience: Audience, targets: Targets) -> int:
        weight = _ENTRY_BYTES + _IN_MEMORY * len(_encode(audience)) + sum(map(len, targets))
        self._weight += weight
        return weight
