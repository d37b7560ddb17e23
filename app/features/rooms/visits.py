"""Which users are in which rooms, as the others there are told: a reload, a second tab, or a tunnel is no going and coming.

A visit begins with a user's first page in a room, and ends when the last one left on purpose or has been gone for the grace. Each
ends just once, so who listens to `room.joined` and `room.left` can count.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from app.features.gathering import Gathering
from app.features.rooms import view
from app.features.services import Services
from app.hub.audience import rooms
from app.hub.connection import Connection
from app.hub.events import RoomVisit
from app.hub.publication import Part, Publication
from app.kernel.identity import User
from app.kernel.ids import new_short_id

PAUSE_S = 0.05
"""Seconds in which those whose grace is over are gathered into one publication."""


class Visit:
    """One user in one room."""

    def __init__(self, user: User) -> None:
        self.user = user
        """As the page said it that came last."""
        self.pages: set[Connection] = set()
        self.grace: asyncio.TimerHandle | None = None
        """Runs while there are no pages; None: there are some, or it is over."""

    def go_on(self) -> None:
        """End the grace, if it runs."""
        if self.grace is not None:
            self.grace.cancel()
            self.grace = None


class Visits:
    """The visits of this server. A page is in few rooms, and a visit without pages ends soon: that bounds what is kept."""

    def __init__(self, services: Services) -> None:
        self._hub = services.hub
        self._grace_s = services.settings.presence_grace_s
        self._in_room: dict[str, dict[str, Visit]] = {}
        """Visits by room and user."""
        self._rooms_of: dict[Connection, set[str]] = {}
        """The registry has forgotten a page's rooms by the time when we hear that it is gone."""
        self._gone: Gathering[tuple[str, str], object] = Gathering("visits of rooms that are over", self._tell, pause_s=PAUSE_S)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of those who are gone, while the server runs."""
        async with self._gone.running():
            self._hub.on_disconnection(self._disconnected)
            try:
                yield
            finally:
                self._hub.on_disconnection.remove(self._disconnected)
                for there in self._in_room.values():
                    for visit in there.values():
                        visit.go_on()

    def came(self, connection: Connection, room_id: str, user: User) -> bool:
        """A page of the user is in the room, and open. Returns whether a visit begins, of which the others are to be told."""
        mine = self._rooms_of.setdefault(connection, set())
        for other in mine.difference(connection.rooms):  # a handler of the site's own took the page out of it
            self.page_left(connection, other, user.id)
        mine = self._rooms_of.setdefault(connection, set())
        mine.add(room_id)
        there = self._in_room.setdefault(room_id, {})
        is_new = user.id not in there
        visit = there.setdefault(user.id, Visit(user))
        visit.user = user
        visit.pages.add(connection)
        visit.go_on()
        return is_new

    def page_left(self, connection: Connection, room_id: str, user_id: str) -> bool:
        """A page is in the room no longer. Returns whether the visit is without pages: then the grace runs, until `end`."""
        self._forget(connection, room_id)
        visit = self._in_room.get(room_id, {}).get(user_id)
        if visit is None:
            return False
        visit.pages.discard(connection)
        if not visit.pages and visit.grace is None:
            visit.grace = asyncio.get_running_loop().call_later(self._grace_s, self._grace_over, room_id, user_id)
        return not visit.pages

    def end(self, room_id: str, user_id: str) -> User | None:
        """End a visit. Returns who it was, of whom the others are to be told; None: there was no visit."""
        there = self._in_room.get(room_id, {})
        visit = there.pop(user_id, None)
        if visit is None:
            return None
        if not there:
            del self._in_room[room_id]
        visit.go_on()
        for page in visit.pages:
            self._forget(page, room_id)
        return visit.user

    def end_all(self, room_id: str) -> Collection[User]:
        """End all visits of a room. Returns who they were."""
        ended = [self.end(room_id, user_id) for user_id in tuple(self._in_room.get(room_id, ()))]
        return [user for user in ended if user is not None]

    def _forget(self, connection: Connection, room_id: str) -> None:
        mine = self._rooms_of.get(connection)
        if mine is not None:
            mine.discard(room_id)
            if not mine:
                del self._rooms_of[connection]

    def _disconnected(self, connection: Connection) -> None:
        if connection.user is not None:
            for room_id in tuple(self._rooms_of.get(connection, ())):
                self.page_left(connection, room_id, connection.user.id)

    def _grace_over(self, room_id: str, user_id: str) -> None:
        self._in_room[room_id][user_id].grace = None
        self._gone.add((room_id, user_id), object())  # each is another: one that comes while others are told is not done with them

    async def _tell(self, gone: Mapping[tuple[str, str], object]) -> None:
        """Those who are not back: in one publication, and all of a room in one update."""
        left: dict[str, list[User]] = {}
        for room_id, user_id in gone:
            visit = self._in_room.get(room_id, {}).get(user_id)
            if visit is not None and not visit.pages and visit.grace is None and not self._is_cut_off(user_id):
                self.end(room_id, user_id)
                left.setdefault(room_id, []).append(visit.user)
        for room_id, users in left.items():
            for user in users:
                self._hub.events.emit("room.left", RoomVisit(room_id, user))
        parts = tuple(Part(rooms(room_id), view.left(*(user.name for user in users))) for room_id, users in left.items())
        if parts:
            await self._hub.publish(Publication(new_short_id(), parts))

    def _is_cut_off(self, user_id: str) -> bool:
        """Whether the user is gone because the server stops. Presence hears of that first."""
        return not self._hub.registry.is_connected(user_id) and self._hub.presence.is_cut_off(user_id)
