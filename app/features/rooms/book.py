"""The visits that one node knows of: which users are in which rooms, by the pages that are there. No I/O.

A page is in few rooms, and a visit without pages ends soon: that bounds what is kept.
"""

import asyncio
from collections.abc import Collection, Iterator

from app.hub.connection import Connection
from app.kernel.identity import User


class Visit:
    """One user in one room."""

    def __init__(self, user: User) -> None:
        self.user = user
        """As the page said it that came last."""
        self.pages: set[Connection] = set()
        self.grace: asyncio.TimerHandle | None = None
        """Runs while there are no pages; None: there are some, or it is over."""
        self.begins = False
        """Whether other nodes are being asked if it has begun already."""
        self.relies_on = ""
        """The node that tells of its beginning, where two began at once."""
        self.is_shared = False
        """Whether another node has it, or had it."""
        self.is_taken = False
        """Whether it has begun on another node since that was asked last."""

    @property
    def may_be_over(self) -> bool:
        """Whether there are no pages, and no grace runs any more."""
        return not self.pages and self.grace is None

    def go_on(self) -> None:
        """End the grace, if it runs."""
        if self.grace is not None:
            self.grace.cancel()
            self.grace = None


class Book:
    """Visits by room and user."""

    def __init__(self) -> None:
        self._in_room: dict[str, dict[str, Visit]] = {}
        self._rooms_of: dict[Connection, set[str]] = {}
        """The registry has forgotten a page's rooms by the time when we hear that it is gone."""

    def find(self, room_id: str, user_id: str) -> Visit | None:
        """The visit of a user; None: there is none."""
        return self._in_room.get(room_id, {}).get(user_id)

    def users_in(self, room_id: str) -> Collection[str]:
        """Ids of the users who are in a room."""
        return tuple(self._in_room.get(room_id, ()))

    def rooms_of(self, connection: Connection) -> Collection[str]:
        """Ids of the rooms that a page is in, or was until it was closed."""
        return tuple(self._rooms_of.get(connection, ()))

    def enter(self, connection: Connection, room_id: str, user: User) -> Visit | None:
        """A page is in a room. Returns the visit, if it is new."""
        self._rooms_of.setdefault(connection, set()).add(room_id)
        known = self.find(room_id, user.id)
        visit = known or self.add(room_id, user)
        visit.user = user
        visit.pages.add(connection)
        visit.go_on()
        return visit if known is None else None

    def add(self, room_id: str, user: User) -> Visit:
        """A new visit, without pages."""
        visit = self._in_room.setdefault(room_id, {})[user.id] = Visit(user)
        return visit

    def leave(self, connection: Connection, room_id: str, user_id: str) -> Visit | None:
        """A page is in a room no longer. Returns the visit, if it has no pages now."""
        self._forget(connection, room_id)
        visit = self.find(room_id, user_id)
        if visit is not None:
            visit.pages.discard(connection)
        return visit if visit is not None and not visit.pages else None

    def end(self, room_id: str, user_id: str) -> Visit | None:
        """Forget a visit. Returns it; None: there was none."""
        there = self._in_room.get(room_id, {})
        visit = there.pop(user_id, None)
        if visit is not None:
            if not there:
                del self._in_room[room_id]
            visit.go_on()
            for page in visit.pages:
                self._forget(page, room_id)
        return visit

    def __iter__(self) -> Iterator[tuple[str, Visit]]:
        """Each visit, with its room."""
        return iter([(room_id, visit) for room_id, there in self._in_room.items() for visit in there.values()])

    def _forget(self, connection: Connection, room_id: str) -> None:
        mine = self._rooms_of.get(connection)
        if mine is not None:
            mine.discard(room_id)
            if not mine:
                del self._rooms_of[connection]
