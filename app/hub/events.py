"""Things that happened, told by name to whoever wants to know.

    user.online, user.offline         a User: the first connection opened; the last one has been gone for the grace
    room.joined, room.left            a RoomVisit
    message.sent                      a SentMessage
    announcement.published            a PublishedAnnouncement
    system.maintenance                a Maintenance

Names whose first word is none of ours are the site's own: `events.emit("order.paid", order)`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from app.hub.hooks import F, Hooks
from app.kernel.identity import User

NAMES: Final = frozenset(
    {
        "announcement.published",
        "message.sent",
        "room.joined",
        "room.left",
        "system.maintenance",
        "user.offline",
        "user.online",
    }
)
_OUR_FIRST_WORDS: Final = frozenset(name.partition(".")[0] for name in NAMES)


class RoomVisit(msgspec.Struct, frozen=True):
    """A user came into a room, or left it."""

    room_id: str
    user: User


class SentMessage(msgspec.Struct, frozen=True):
    """A message was stored and pushed. Of `room_id` and `recipient_id` just one is set."""

    id: str
    room_id: str | None
    recipient_id: str | None
    sender_id: str | None
    """None: the back office wrote it."""
    author: str
    content: str
    """Plain text, as it was written."""


class PublishedAnnouncement(msgspec.Struct, frozen=True):
    """An announcement was shown, at once or because its time had come."""

    id: str
    title: str
    message: str
    priority: str


class Maintenance(msgspec.Struct, frozen=True):
    """Maintenance was announced."""

    message: str
    scheduled_time: datetime


class Events:
    """Functions by the name of an event. One that fails is logged and stops nobody else; async ones are not waited for."""

    def __init__(self) -> None:
        self._hooks: dict[str, Hooks[[object]]] = {}

    def on(self, name: str, function: F | None = None) -> Callable[[F], F]:
        """Call the function, plain or async, with each event of this name. Also a decorator: `@events.on("user.online")`.

        Raises ValueError for a name that looks like one of ours and is none: it would never be told.
        """
        self._check(name)
        hooks = self._hooks.setdefault(name, Hooks(name))
        if function is not None:
            hooks(function)
        return hooks

    def off(self, name: str, function: Callable[..., object]) -> None:
        """Call the function no longer. Raises ValueError when it was not called."""
        if name not in self._hooks:
            message = f"nothing is called on {name!r}"
            raise ValueError(message)
        self._hooks[name].remove(function)

    def emit(self, name: str, event: object) -> None:
        """Tell everybody who wants to know, in the order in which they asked for it."""
        self._check(name)
        if name in self._hooks:
            self._hooks[name].fire(event)

    @property
    def running(self) -> set[asyncio.Task[None]]:
        """The tasks of async functions that are not done yet."""
        return {task for hooks in self._hooks.values() for task in hooks.running}

    @staticmethod
    def _check(name: str) -> None:
        if name not in NAMES and name.partition(".")[0] in _OUR_FIRST_WORDS:
            message = f"there is no event {name!r}; there are {', '.join(sorted(NAMES))}, and your own with another first word"
            raise ValueError(message)
