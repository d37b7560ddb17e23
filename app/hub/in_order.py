"""Connections in the order of their ids: a page of a long list is found without looking at those before it."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

SPARE = 1_000
"""Ids of connections that are gone, before they are looked for at all."""


class InOrder(Generic[T]):
    """Eight bytes for each. Ids are made in the order of time, so a new one is the last but where a clock was set back."""

    def __init__(self, here: Mapping[str, T]) -> None:
        """`here`: the connections that there are, by their ids; it is read only."""
        self._here = here
        self._ids: list[str] = []
        """Also of some that are gone: to take one out of the middle would move all behind it."""

    def added(self, connection_id: str) -> None:
        """There is a new one."""
        if self._ids and connection_id < self._ids[-1]:
            insort(self._ids, connection_id)
        else:
            self._ids.append(connection_id)

    def removed(self) -> None:
        """One is gone."""
        if len(self._ids) > 2 * len(self._here) + SPARE:
            self._ids = [one for one in self._ids if one in self._here]

    def after(self, connection_id: str) -> Iterator[T]:
        """Those with greater ids. No connection may come or go between two of them."""
        ids = self._ids
        for place in range(bisect_right(ids, connection_id), len(ids)):
            if ids[place] in self._here:
                yield self._here[ids[place]]
