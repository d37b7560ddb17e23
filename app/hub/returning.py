"""What all who come back share: how they are recognised, and what it takes to show them what they missed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

import structlog

from app.hub.absent import JustLeft
from app.hub.connection import Connection
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
    successor_of: Connection | None = None
    """Its old connection, if that seems to be open."""


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
        self.check_rooms: CheckRooms = _leave_all(registry)
        """Set by whoever knows who belongs to rooms. Without it nobody comes back to a room by itself."""
        self.running: set[asyncio.Task[None]] = set()
        """Those who catch up."""
        self._registry = registry
        self._sessions = sessions
        self._succeeded: set[str] = set()
        """Ids of open connections whose session was taken."""

    async def recognise(self, cursor: str | None, session: str | None, user: User | None) -> Back:
        """What is known of a page that says these two. Takes its session, if it is this user's: nobody gets it again."""
        if cursor is not None:
            cursor = cursor[:MAX_CURSOR_CHARS]
        if session is None:
            return Back(cursor)
        connection_id = self.ids.read(session) if len(session) <= MAX_ID_CHARS else None
        if connection_id is None:
            return Back(cursor, is_known=False)
        user_id = user.id if user is not None else None
        old = self._registry.get(connection_id)
        if old is not None:
            return self._succeed(old, cursor, user_id)
        try:
            found = await self._sessions.take(connection_id, user_id)
        except Exception:
            _log.exception("session not found", connection=connection_id)
            found = None
        if found is None:
            return Back(cursor, is_known=False)
        kept, age_s = found
        if age_s <= RESTORED_WITHIN_S:
            return Back(cursor, kept)
        return Back(cursor, kept._replace(rooms={}, notes=b""), is_known=not kept.rooms)

    def is_from_before(self, back: Back) -> bool:
        """Whether the page seems to be from before this node was started: its place is older, or it names a session of then."""
        return not back.is_known or (back.cursor is not None and back.cursor < self._began)

    def left(self, connection: Connection) -> None:
        """A connection is about to end: keep what it may come back to."""
        if connection.id in self._succeeded:
            self._succeeded.remove(connection.id)
        elif (kept := what_is_left(connection)) is not None:
            self._sessions.keep(kept)

    def _succeed(self, old: Connection, cursor: str | None, user_id: str | None) -> Back:
        """The page is back before we heard that its old socket is gone."""
        kept = what_is_left(old)
        if kept is None or kept.user_id != user_id or old.id in self._succeeded:
            return Back(cursor, is_known=False)
        self._succeeded.add(old.id)
        return Back(cursor, kept, successor_of=old)


def _leave_all(registry: Registry) -> CheckRooms:
    async def leave(connection: Connection, room_ids: Collection[str]) -> None:
        for room_id in room_ids:
            registry.leave(connection, room_id)

    return leave
