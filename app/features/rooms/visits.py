"""What the others in a room are told of who comes and goes: a reload, a second tab, another node, or a tunnel is neither.

A visit begins with a user's first page in a room, and ends when the last one left on purpose or has been gone for the grace. Each
begins and ends just once, on whatever nodes its pages are: whoever listens to `room.joined` and `room.left` on all nodes can count.

Each node knows the visits of its own pages. Where a user may be on another node, or was, that is asked before anything is told:

- a visit that begins here has begun already, where another node has it, be it without pages for now;
- a visit that may be over here goes on, where another node has pages. Where several have it without pages, the one with the highest
  id asks again until the others have forgotten it, and tells: so one tells, when all graces end together;
- whoever tells that a visit is over says so to all nodes, and those that have it without pages forget it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import msgspec
import structlog

from app.features.gathering import MAX_BATCH, Gathering
from app.features.rooms import view
from app.features.rooms.book import Book, Visit
from app.features.services import Services
from app.features.telling import tell
from app.hub import peers
from app.hub.audience import rooms
from app.hub.connection import Connection
from app.hub.events import RoomVisit
from app.hub.peers import LeftVisit, TakeVisits, TellVisits, Visiting
from app.hub.publication import News, Part, Publication
from app.kernel.identity import User
from app.kernel.ids import new_short_id
from app.kernel.turns import Turns

PAUSE_S = 0.05
"""Seconds in which those whose grace is over are gathered into one publication."""
LOOK_AGAIN_S = 0.5
"""Seconds after which it is asked again whether other nodes have forgotten a visit that has no pages here, either."""
NEWS = "rooms.visits"

_encode = msgspec.msgpack.Encoder().encode
_log = structlog.get_logger()


class Over(msgspec.Struct, frozen=True, array_like=True):
    """News: visits that are over."""

    visits: Sequence[peers.Visit] = ()
    teller: str | None = None
    """None: the others are told; a visit that has pages again is another one. Else all pages are put out, and of the nodes that
    knew of the visit this one is to tell it; empty: none did."""
    closed: str = ""
    """The id of a room that is deleted, with all its visits: each node tells its own listeners."""


_read = msgspec.msgpack.Decoder(Over).decode


class Visits:
    """The visits that this node knows of."""

    def __init__(self, services: Services) -> None:
        self._hub = services.hub
        self._everywhere = services.everywhere
        self._node = services.hub.roster.node
        self._grace_s = services.settings.presence_grace_s
        self._book = Book()
        self.turns = Turns()
        """Of a user who comes into a room, or leaves it, by several pages of this node at once."""
        self._gone: Gathering[tuple[str, str], object] = Gathering("visits of rooms that are over", self._end_gone, pause_s=PAUSE_S)
        self._put_out: Gathering[tuple[str, str], User] = Gathering("users who were put out", self._tell_put_out, pause_s=0.0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of those who are gone, while the server runs."""
        hub, answering = self._hub, self._everywhere.answering
        answering.tell_visits, answering.take_visits = self._tell_visits, self._take_visits
        hub.news.on(NEWS, after=self._are_over)
        hub.on_disconnection(self._disconnected)
        hub.on_drained(self._pass_on)
        try:
            async with self._put_out.running(), self._gone.running():
                yield
        finally:
            hub.on_drained.remove(self._pass_on)
            hub.on_disconnection.remove(self._disconnected)
            hub.news.off(NEWS)
            for _, visit in self._book:
                visit.go_on()

    # -- coming --------------------------------------------------------------------------------------------------------
    async def came(self, connection: Connection, room_ids: Collection[str], user: User) -> Collection[str]:
        """A page of the user is in these rooms, and open. Returns those in which a visit begins: the others are to be told of it.

        Waits for nothing where the user is on this node alone.
        """
        for room_id in self._book.rooms_of(connection):
            if room_id not in connection.rooms:  # a handler of the site's own took the page out of it
                self.page_left(connection, room_id, user.id)
        entered = {room_id: self._book.enter(connection, room_id, user) for room_id in room_ids}
        new = {room_id: visit for room_id, visit in entered.items() if visit is not None}
        if not new or not (self._may_be_elsewhere(user.id) or self._may_just_have_left(user.id)):
            return list(new)
        for visit in new.values():
            visit.begins = True
        try:
            known = await self._everywhere.visits([peers.Visit(room_id, user.id) for room_id in new], begins=True)
        finally:
            for visit in new.values():
                visit.begins = False
        begun = [room_id for (room_id, visit), there in zip(new.items(), known, strict=True) if not self._has_begun(visit, there)]
        return [room_id for room_id in begun if self._book.find(room_id, user.id) is new[room_id]]  # else it has ended meanwhile

    def _has_begun(self, visit: Visit, there: Mapping[str, Visiting]) -> bool:
        visit.is_shared |= any(there.values())
        visit.relies_on = max((node for node, known in there.items() if known == Visiting.BEGINS and node > self._node), default="")
        return bool(visit.relies_on) or any(known >= Visiting.AWAY for known in there.values())

    # -- leaving -------------------------------------------------------------------------------------------------------
    def page_left(self, connection: Connection, room_id: str, user_id: str) -> bool:
        """A page is in the room no longer. Returns whether the visit is without pages here: then the grace runs, until it ends."""
        visit = self._book.leave(connection, room_id, user_id)
        if visit is not None and visit.grace is None:
            self._wait(room_id, visit, self._grace_s)
        return visit is not None

    async def has_pages_elsewhere(self, room_id: str, user_id: str) -> bool:
        """Whether another node that answers has a page of the user in the room."""
        there = await self._ask_of(room_id, user_id)
        return any(known in {Visiting.BEGINS, Visiting.THERE} for known in there.values())

    async def leave(self, room_id: str, user_id: str, *, is_told: bool) -> None:
        """End a visit that has no pages here any more. `is_told`: there are none elsewhere, so the others are told."""
        user = self._end(room_id, user_id)
        if user is not None and is_told:
            await self._tell_left({room_id: [user]})

    async def put_out(self, room_id: str, user_id: str) -> News:
        """News of the publication that puts a user's pages out of a room: the visit is over on all nodes, and one tells it."""
        teller = self._node
        if self._book.find(room_id, user_id) is None:
            teller = max((node for node, known in (await self._ask_of(room_id, user_id)).items() if known), default="")
        return News(NEWS, _encode(Over((peers.Visit(room_id, user_id),), teller)))

    def closed(self, room_id: str) -> News:
        """News of the publication that puts everybody out of a room which is deleted."""
        return News(NEWS, _encode(Over(closed=room_id)))

    def _are_over(self, publication: Publication) -> None:
        """It was told, here or on another node, or is to be told here."""
        over = _read(publication.news.about if publication.news is not None else b"")
        for user_id in self._book.users_in(over.closed):
            if (user := self._end(over.closed, user_id)) is not None:
                self._hub.events.emit("room.left", RoomVisit(over.closed, user))
        for one in over.visits:
            visit = self._book.find(one.room_id, one.user_id)
            if visit is None or (over.teller is None and (visit.pages or visit.begins)):
                continue
            user = self._end(one.room_id, one.user_id)
            if user is not None and over.teller == self._node:
                self._hub.events.emit("room.left", RoomVisit(one.room_id, user))
                self._put_out.add((one.room_id, one.user_id), user)

    def _end(self, room_id: str, user_id: str) -> User | None:
        """Forget a visit. Returns who it was; None: there was none, or none of which anybody was told."""
        visit = self._book.end(room_id, user_id)
        return visit.user if visit is not None and not visit.begins else None

    def _disconnected(self, connection: Connection) -> None:
        if connection.user is not None:
            for room_id in self._book.rooms_of(connection):
                self.page_left(connection, room_id, connection.user.id)

    # -- whose grace is over -------------------------------------------------------------------------------------------
    def _wait(self, room_id: str, visit: Visit, seconds: float) -> None:
        visit.grace = asyncio.get_running_loop().call_later(seconds, self._grace_over, room_id, visit)

    def _grace_over(self, room_id: str, visit: Visit) -> None:
        visit.grace = None
        self._gone.add((room_id, visit.user.id), object())  # each is another: who comes while others are told is not done with them

    async def _end_gone(self, gone: Collection[tuple[str, str]]) -> None:
        """End the visits of those who are not back, here or elsewhere, and tell it."""
        over: dict[tuple[str, str], Visit] = {}
        for room_id, user_id in gone:
            visit = self._book.find(room_id, user_id)
            if visit is not None and visit.may_be_over and not self._is_cut_off(user_id):
                visit.is_taken = False
                over[room_id, user_id] = visit
        known = await self._ask_of_all(over)
        left: dict[str, list[User]] = {}
        for (room_id, user_id), visit in over.items():
            if self._book.find(room_id, user_id) is visit and visit.may_be_over:
                user = self._end_or_wait(room_id, visit, known.get((room_id, user_id), {}))
                if user is not None:
                    left.setdefault(room_id, []).append(user)
        await self._tell_left(left)

    async def _ask_of_all(self, over: Mapping[tuple[str, str], Visit]) -> Mapping[tuple[str, str], Mapping[str, Visiting]]:
        asked = [key for key, visit in over.items() if visit.is_shared or self._may_be_elsewhere(visit.user.id)]
        if not asked:
            return {}
        return dict(zip(asked, await self._everywhere.visits([peers.Visit(*key) for key in asked], begins=False), strict=True))

    def _end_or_wait(self, room_id: str, visit: Visit, there: Mapping[str, Visiting]) -> User | None:
        """Returns of whom the others are to be told."""
        away = [node for node, known in there.items() if known == Visiting.AWAY]
        is_elsewhere = visit.is_taken or any(known in {Visiting.BEGINS, Visiting.THERE} for known in there.values())
        if visit.begins or (away and not is_elsewhere and max(away) < self._node):
            self._wait(room_id, visit, LOOK_AGAIN_S)
            return None
        user = self._end(room_id, visit.user.id)
        return None if is_elsewhere or away else user

    def _is_cut_off(self, user_id: str) -> bool:
        """Whether the user is gone because the server stops. Presence hears of that first."""
        return not self._hub.registry.is_connected(user_id) and self._hub.presence.is_cut_off(user_id)

    # -- telling -------------------------------------------------------------------------------------------------------
    async def _tell_left(self, left: Mapping[str, Sequence[User]]) -> None:
        """In one publication, and all of a room in one update. While the journal is away only pages of this node are told."""
        for room_id, users in left.items():
            for user in users:
                self._hub.events.emit("room.left", RoomVisit(room_id, user))
        parts = tuple(Part(rooms(room_id), view.left(*(user.name for user in users))) for room_id, users in left.items())
        if not parts:
            return
        over = Over([peers.Visit(room_id, user.id) for room_id, users in left.items() for user in users])
        publication = Publication(new_short_id(), parts, news=News(NEWS, _encode(over)))
        await tell(self._hub, publication, "who left a room")

    async def _tell_put_out(self, put_out: Mapping[tuple[str, str], User]) -> None:
        for (room_id, _), user in put_out.items():
            await self._hub.publish(Publication(new_short_id(), (Part(rooms(room_id), view.left(user.name)),)))

    # -- other nodes ---------------------------------------------------------------------------------------------------
    def _may_be_elsewhere(self, user_id: str) -> bool:
        roster = self._hub.roster
        return not roster.is_alone and (bool(roster.may_be_elsewhere({user_id})) or roster.is_online_elsewhere(user_id))

    def _may_just_have_left(self, user_id: str) -> bool:
        """Whether another node may be about to tell that the visit is over: presence hears of that a moment earlier."""
        return not self._hub.roster.is_alone and user_id in self._hub.returning.just_left

    async def _ask_of(self, room_id: str, user_id: str) -> Mapping[str, Visiting]:
        visit = self._book.find(room_id, user_id)
        if self._may_be_elsewhere(user_id) or (visit is not None and visit.is_shared):
            return (await self._everywhere.visits([peers.Visit(room_id, user_id)], begins=False))[0]
        return {}

    def _tell_visits(self, asked: TellVisits) -> list[Visiting]:
        return [Visiting.NOTHING if asked.asker == self._node else self._tell(one, asked) for one in asked.visits]

    def _tell(self, one: peers.Visit, asked: TellVisits) -> Visiting:
        visit = self._book.find(one.room_id, one.user_id)
        if visit is None:
            return Visiting.NOTHING
        visit.is_shared = True
        if visit.begins:
            return Visiting.BEGINS
        if asked.begins and visit.relies_on == asked.asker:
            return Visiting.NOTHING
        visit.is_taken |= asked.begins
        return Visiting.THERE if visit.pages else Visiting.AWAY

    async def _pass_on(self) -> None:
        """This node has put all its pages away, and stops: another one looks after its visits."""
        visits = (LeftVisit(room_id, visit.user) for room_id, visit in self._book)
        others = sorted(set(self._hub.roster.nodes) - {self._node})
        while some := list(islice(visits, MAX_BATCH)):
            for node in others:
                if await self._everywhere.pass_on(some, node):
                    break

    def _take_visits(self, taken: TakeVisits) -> None:
        for room_id, user in map(msgspec.structs.astuple, taken.visits):
            visit = self._book.find(room_id, user.id)
            if visit is None:
                visit = self._book.add(room_id, user)
                self._wait(room_id, visit, self._grace_s)
            visit.is_shared = True
