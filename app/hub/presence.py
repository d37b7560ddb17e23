"""Who is there, told once: a reload, a second tab, or a train in a tunnel is no going and coming.

A user is online from the first connection on, and goes offline when the last one has been gone for the grace. Whether somebody is
still there is asked when the grace is over, so a close that is heard of late harms nobody.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from app.hub.events import Events
from app.kernel.clock import monotonic, utc_now
from app.kernel.identity import User


class _Absence(NamedTuple):
    """A user without connections, within the grace."""

    timer: asyncio.TimerHandle
    since: datetime


class Presence:
    """The users who are online, as everybody else is told. Tells `user.online` and `user.offline`."""

    def __init__(self, events: Events, grace_s: float, is_connected: Callable[[str], object]) -> None:
        self._events = events
        self._grace_s = grace_s
        self._is_connected = is_connected
        self._online: dict[str, User] = {}
        self._away: dict[str, _Absence] = {}
        self._is_stopped = False
        self._began_at = monotonic()

    def is_online(self, user_id: str) -> bool:
        """Whether the user has a connection, or had one within the grace."""
        return user_id in self._online

    def absent_since(self, user_id: str) -> datetime | None:
        """When an online user's last connection ended; None: it has not, or the user is not online."""
        return self._away[user_id].since if user_id in self._away else None

    def arrived(self, user: User, *, is_back: bool = False) -> None:
        """A connection of this user opened. `is_back`: its page says that it was connected before.

        Who comes back within the grace after a start was never away: the server was.
        """
        is_new = user.id not in self._online
        self._online[user.id] = user
        absence = self._away.pop(user.id, None)
        if absence is not None:
            absence.timer.cancel()
        was_here = is_back and monotonic() - self._began_at < self._grace_s
        if is_new and not was_here and not self._is_stopped:
            self._events.emit("user.online", user)

    def left(self, user: User) -> None:
        """A connection of this user is gone."""
        if self._is_stopped or self._is_connected(user.id) or user.id in self._away or user.id not in self._online:
            return
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._over, user.id)
        self._away[user.id] = _Absence(timer, utc_now())

    def stop(self) -> None:
        """Tell nothing more: that the server stops is no news about users."""
        self._is_stopped = True
        for absence in self._away.values():
            absence.timer.cancel()
        self._away.clear()

    def __len__(self) -> int:
        """How many users are online."""
        return len(self._online)

    def _over(self, user_id: str) -> None:
        del self._away[user_id]
        if not self._is_connected(user_id):
            self._events.emit("user.offline", self._online.pop(user_id))
