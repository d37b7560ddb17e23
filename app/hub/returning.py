"""What all who come back share: how they are recognised, and what it takes to show them what they missed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NamedTuple

import structlog

from app.hub.absent import JustLeft
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.geometry import Place
from app.hub.past import NO_PAST, Heirs, Past
from app.hub.recall import Recall
from app.hub.registry import Registry
from app.hub.sessions import RESTORED_WITHIN_S, Kept, Origin, SessionIds, Sessions, Taken, what_is_left
from app.hub.touched import Touched
from app.journal.port import Journal
from app.kernel.identity import User
from app.wire.events import split_id

MAX_CURSOR_CHARS = 64
"""A longer text is no cursor; of such ones no more is kept than this."""
BACK_ELSEWHERE: Final = "this page is back by another connection"
"""What the older connection of a page is told."""
AT_ONCE = 8
"""Connections that read the journal at the same time: a step of each is a millisecond, and others have their turn in between."""

CheckRooms = Callable[[Connection, Collection[str]], Awaitable[None]]
"""Take the connection out of those of the rooms which its user may not be in any more. Raises what looking it up raises."""

AskToHandOver = Callable[[Origin, str | None], Awaitable[Taken | None]]
"""Ask another node for what a connection of its own has, which is this user's and ends with that. None: it is not there."""

_log = structlog.get_logger()


class Back(NamedTuple):
    """A page says that it has been here before."""

    cursor: str | None
    """From where on it missed something; None: it does not say."""
    kept: Kept | None = None
    """What its session held; None: it named none, or it is not here."""
    is_known: bool = True
    """Whether it is known which rooms it was in."""
    session_of: str | None = None
    """The id of the connection whose session it named."""
    successor_of: Connection | None = None
    """The connection of this node that it takes over from, if that seems to be open."""
    place: Place | None = None
    """Where it is, as a connection that it takes over from knows it, on whatever node."""
    within: str = ""
    """The id of the last event that it has of what has its place, where it was cut off within that; empty: it has all of it."""


class Counts:
    """What became of those who came back, since the start."""

    def __init__(self) -> None:
        self.resumed = 0
        """Pages that missed nothing, or were shown all of it."""
        self.gaps = 0
        """Pages of which some of what they missed was gone, or may have been."""
        self.replayed = 0
        """Messages that pages had missed and were shown."""
        self.losses = 0
        """How often entries of the journal were lost to all pages of this node."""


class Returning:
    """Recognises pages that come back, and holds what they read from."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        sessions: Sessions,
        ids: SessionIds,
        *,
        replay_s: float,
        max_message_bytes: int,
    ) -> None:
        """`max_message_bytes`: of what a page may say, which is told to it."""
        self.journal = journal
        self._began = journal.head()
        self.touched = Touched(self._began)
        self.recall = Recall()
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.ids = ids
        self.just_left = JustLeft(replay_s)
        self.counts = Counts()
        self.check_rooms: CheckRooms = _leave_all(registry)
        """Set by whoever knows who belongs to rooms. Without it nobody comes back to a room by itself."""
        self.ask_to_hand_over: AskToHandOver = _is_nowhere_else
        """Set by whoever knows other nodes."""
        self.running: set[asyncio.Task[None]] = set()
        """Those who catch up."""
        self._registry = registry
        self._sessions = sessions
        self._max_message_bytes = max_message_bytes
        self._heirs = Heirs(RESTORED_WITHIN_S)

    def greeting(self, connection: Connection, cursor: str, *, resumed: bool) -> bytes | None:
        """The first thing that a connection hears; None where its client knows no such thing."""
        session = self.ids.of(connection.id)
        return connection.dialect.encode_hello(connection.id, session, cursor, self._max_message_bytes, resumed=resumed)

    def lost(self) -> None:
        """The journal is another one from its head on: what is from before is known to nobody."""
        self.counts.losses += 1
        self._began = self.journal.head()
        self.touched = Touched(self._began)

    async def recognise(self, cursor: str | None, session: str | None, user: User | None) -> Back:
        """What is known of a page that says these two. Takes its session, if it is this user's. `cursor`: or the id of an event.

        Connect it in the turn of the loop in which this returns: until then nobody else finds its session. Not safe to cancel.
        """
        if cursor is None:
            return await self._recognise(None, session, user)
        place, within = split_id(cursor[:MAX_CURSOR_CHARS])
        return (await self._recognise(place, session, user))._replace(within=within)

    async def _recognise(self, cursor: str | None, session: str | None, user: User | None) -> Back:
        if session is None:
            return Back(cursor)
        origin = self.ids.read(session)
        if origin is None:
            return Back(cursor, is_known=False)
        user_id = user.id if user is not None else None
        if (old := self._registry.get(self._newest(origin).connection_id)) is not None:
            kept = left_to(old, user_id)
            known = {"successor_of": old, "place": old.place} if kept is not None else {"is_known": False}
            return Back(cursor, kept, session_of=origin.connection_id, **known)
        found = await self._find(origin, user_id)
        if found is None:
            return Back(cursor, is_known=False)
        kept, age_s, place = found
        if age_s <= RESTORED_WITHIN_S:
            return Back(cursor, kept, session_of=origin.connection_id, place=place)
        return Back(cursor, kept._replace(rooms={}, notes=b""), is_known=not kept.rooms, session_of=origin.connection_id)

    async def hand_over(self, origin: Origin, user_id: str | None) -> Taken | None:
        """A page is back on another node: what its connection here had, open or not, if it is this user's. An open one is closed.

        None: it is not here. Raises whatever says that the store is away.
        """
        old = self._registry.get(self._newest(origin).connection_id)
        if old is None:
            taken = await self._sessions.take(self._newest(origin), user_id)
            return taken if isinstance(taken, Taken) else None
        if (kept := left_to(old, user_id)) is None:
            return None
        place = old.place
        old.close(Close.NOT_ALLOWED, BACK_ELSEWHERE)
        return Taken(kept, 0.0, place)

    async def _find(self, origin: Origin, user_id: str | None) -> Taken | None:
        """What is kept, or what another node still has open."""
        try:
            found = await self._sessions.take(self._newest(origin), user_id)
            if isinstance(found, Origin):
                found = await self.ask_to_hand_over(found, user_id) if found.node != self.ids.node else None
        except Exception:
            _log.exception("session not found", connection=origin.connection_id)
            return None
        return found

    def takes_over(self, session: str, user: User) -> bool:
        """Whether whoever comes with this session takes the place of an open connection of this user."""
        origin = self.ids.read(session)
        old = self._registry.get(self._newest(origin).connection_id) if origin is not None else None
        return old is not None and old.outbox.sink.is_open and _may_be_taken_over(old, user.id)

    def is_of_another_node(self, session: str) -> bool:
        """Whether the session was begun on another node, so that its connection may be there."""
        origin = self.ids.read(session)
        return origin is not None and self._newest(origin).node != self.ids.node

    def past_of(self, back: Back) -> Past:
        """What a page was before."""
        kept, head = back.kept, self.journal.head()
        if kept is None:
            return NO_PAST
        is_placed = kept.was_placed and back.place is None  # an open connection hands it on
        heard_until = back.cursor[:-1] if back.cursor and back.within else back.cursor  # just before: it has not heard all of it
        return kept.past.and_then(kept.connection_id, head, was_placed=is_placed, heard_until=heard_until)

    def came_back(self, connection: Connection, back: Back) -> None:
        """It is connected: whoever names its old session from now on takes over from this connection."""
        if back.kept is not None and back.session_of is not None:
            for one in {back.session_of, back.kept.connection_id}:
                self._heirs.add(one, connection.id)
                self._sessions.pass_on(one, Origin(connection.id, self.ids.node))

    def is_from_before(self, back: Back) -> bool:
        """Whether the page seems to be from before this node was started: its place is older, or it names a session of then."""
        return not back.is_known or (back.cursor is not None and back.cursor < self._began)

    def left(self, connection: Connection) -> None:
        """A connection is about to end: keep what it may come back to."""
        if (kept := what_is_left(connection)) is not None:
            self._sessions.keep(kept)

    def _newest(self, origin: Origin) -> Origin:
        newest = self._heirs.newest(origin.connection_id)
        return origin if newest == origin.connection_id else Origin(newest, self.ids.node)


def left_to(connection: Connection, user_id: str | None) -> Kept | None:
    """What an open connection has for whoever takes over from it; None: it is not this user's, or knows no sessions."""
    return what_is_left(connection) if _may_be_taken_over(connection, user_id) else None


def _may_be_taken_over(connection: Connection, user_id: str | None) -> bool:
    return connection.dialect.extended and user_id == (connection.user.id if connection.user is not None else None)


async def _is_nowhere_else(_origin: Origin, _user_id: str | None) -> Taken | None:
    """There is no other node."""
    return None


def _leave_all(registry: Registry) -> CheckRooms:
    async def leave(connection: Connection, room_ids: Collection[str]) -> None:
        for room_id in room_ids:
            registry.leave(connection, room_id)

    return leave
