"""An index of connections by map cell: who is near is found without looking at who is far."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from app.hub.geometry import Place, cell_of, cells_within

if TYPE_CHECKING:
    from app.hub.connection import Connection

FEW_CELLS = 64
"""Cells of a circle that are looked up in any case: 40 km around somebody. A site may know all its users by the same few towns."""


class Places:
    """The connections whose place is known. A cell that becomes empty is removed."""

    def __init__(self) -> None:
        self._cells: defaultdict[int, set[Connection]] = defaultdict(set)

    def add(self, connection: "Connection", place: Place) -> None:
        """Put the connection into the cell of the place."""
        self._cells[cell_of(place)].add(connection)

    def discard(self, connection: "Connection", place: Place) -> None:
        """Take it out of that cell."""
        cell = cell_of(place)
        there = self._cells[cell]
        there.discard(connection)
        if not there:
            del self._cells[cell]

    def candidates(self, latitude: float, longitude: float, radius_km: float) -> Iterator["Connection"]:
        """All connections within the circle, and some a little outside: look at each one's distance."""
        known = self._cells
        most = max(len(known), FEW_CELLS)
        found = []
        for looked_at, cell in enumerate(cells_within(latitude, longitude, radius_km)):
            if looked_at >= most:  # a circle of more cells than are used at all: it is cheaper to look at everybody
                return chain.from_iterable(known.values())
            if cell in known:
                found.append(known[cell])
        return chain.from_iterable(found)

    def __len__(self) -> int:
        """How many cells have connections."""
        return len(self._cells)
