"""What all who come back share: how they are recognised, and what it takes to show them what they missed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

import structlog

from app.hub.absent import JustLeft
from app.hub.connection import Connection
from app.hub.past import NO_PAST, Heirs, Past
from app.hub.recall import Recall
from app.hub.registry import Registry
from app.hub.sessions import MAX_ID_CHARS, RESTORED_WITHIN_S, Kept, SessionIds, Sessions, what_is_left
from app.hub.touched import Touched
from app.journal.port import Journal
from app.kernel.identity import User

MAX_CURSOR_CHARS = 64
"""A longer text is no cursor; of such ones no more is kept than this."""
AT_ONCE = 8
"""Connections that read the journal at the same time: a step of each is a millisecond, and others have their turn in between."""

CheckRooms = Callable[[Connection, Collection[str]], Awaitable[None]]
"""Take the connection out of those of the rooms which its user may not be in any more. Raises what looking it up raises."""

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
    """The connection that it takes over from, if that seems to be open."""


class Counts:
    """What became of those who came back, since the start."""

    def __init__(self) -> None:
        self.resumed = 0
        """Pages that missed nothing, or were shown all of it."""
        self.gaps = 0
        """Pages of which some of what they missed was gone, or may have been."""
        self.replayed = 0
        """Messages that pages had missed and were shown."""


class Returning:
    """Recognises pages that come back, and holds what they read from."""

    def __init__(self, journal: Journal, registry: Registry, sessions: Sessions, *, replay_s: float) -> None:
        self.journal = journal
        self._began = journal.head()
        self.touched = Touched(self._began)
        self.recall = Recall()
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.ids = SessionIds()
        self.just_left = JustLeft(replay_s)
        self.counts = Counts()
        self.check_rooms: CheckRooms = _leave_all(registry)
        """Set by whoever knows who belongs to rooms. Without it nobody comes back to a room by itself."""
        self.running: set[asyncio.Task[None]] = set()
        """Those who catch up."""
        self._registry = registry
        self._sessions = sessions
        self._heirs = Heirs(RESTORED_WITHIN_S)

    def forget_touched(self) -> None:
        """The journal is another one from its head on: what is from before is known to nobody."""
        self._began = self.journal.head()
        self.touched = Touched(self._began)

    async def recognise(self, cursor: str | None, session: str | None, user: User | None) -> Back:
        """What is known of a page that says these two. Takes its session, if it is this user's.

        Connect it in the turn of the loop in which this returns: until then nobody else finds its session. Not safe to cancel.
        """
        if cursor is not None:
            cursor = cursor[:MAX_CURSOR_CHARS]
        if session is None:
            return Back(cursor)
        session_of = self._read(session)
        if session_of is None:
            return Back(cursor, is_known=False)
        user_id = user.id if user is not None else None
        connection_id = self._heirs.newest(session_of)
        old = self._registry.get(connection_id)
        if old is not None:
            if not _may_be_taken_over(old, user_id):
                return Back(cursor, is_known=False)
            return Back(cursor, what_is_left(old), session_of=session_of, successor_of=old)
        try:
            found = await self._sessions.take(connection_id, user_id)
        except Exception:
            _log.exception("session not found", connection=connection_id)
            found = None
        if found is None:
            return Back(cursor, is_known=False)
        kept, age_s = found
        if age_s <= RESTORED_WITHIN_S:
            return Back(cursor, kept, session_of=session_of)
        return Back(cursor, kept._replace(rooms={}, notes=b""), is_known=not kept.rooms, session_of=session_of)

    def takes_over(self, session: str, user: User) -> bool:
        """Whether whoever comes with this session takes the place of an open connection of this user."""
        session_of = self._read(session)
        old = self._registry.get(self._heirs.newest(session_of)) if session_of is not None else None
        return old is not None and old.outbox.sink.is_open and _may_be_taken_over(old, user.id)

    def past_of(self, back: Back) -> Past:
        """What a page was before."""
        kept, head = back.kept, self.journal.head()
        if kept is None:
            return NO_PAST
        is_placed = kept.was_placed and back.successor_of is None  # an open connection hands it on
        return kept.past.and_then(kept.connection_id, head, was_placed=is_placed, heard_until=back.cursor)

    def came_back(self, connection: Connection, back: Back) -> None:
        """It is connected: whoever names its old session from now on takes over from this connection."""
        if back.kept is not None and back.session_of is not None:
            for one in {back.session_of, back.kept.connection_id}:
                self._heirs.add(one, connection.id)

    def is_from_before(self, back: Back) -> bool:
        """Whether the page seems to be from before this node was started: its place is older, or it names a session of then."""
        return not back.is_known or (back.cursor is not None and back.cursor < self._began)

    def left(self, connection: Connection) -> None:
        """A connection is about to end: keep what it may come back to."""
        if (kept := what_is_left(connection)) is not None:
            self._sessions.keep(kept)

    def _read(self, session: str) -> str | None:
        return self.ids.read(session) if len(session) <= MAX_ID_CHARS else None


def _may_be_taken_over(connection: Connection, user_id: str | None) -> bool:
    return connection.dialect.extended and user_id == (connection.user.id if connection.user is not None else None)


def _leave_all(registry: Registry) -> CheckRooms:
    async def leave(connection: Connection, room_ids: Collection[str]) -> None:
        for room_id in room_ids:
            registry.leave(connection, room_id)

    return leave
