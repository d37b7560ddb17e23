"""Who is there, told once: a reload, a second tab, another node, or a train in a tunnel is no going and coming.

A user is online from the first connection on, and goes offline when the last one has been gone for the grace. Whether somebody is
still there is asked when the grace is over, so a close that is heard of late harms nobody. Of what happens on other nodes, and of
who is to tell it, the roster knows.
"""

import asyncio
from collections.abc import Callable, Sized
from datetime import datetime
from typing import NamedTuple

from app.hub.events import Events
from app.hub.roster import Listener, LoneRoster, Roster
from app.kernel.clock import monotonic, utc_now
from app.kernel.identity import User


class _Absence(NamedTuple):
    """A user without connections here, within the grace."""

    timer: asyncio.TimerHandle
    since: datetime


class Presence:
    """The users who are online, as everybody else is told. Tells `user.online` and `user.offline`."""

    def __init__(
        self,
        events: Events,
        grace_s: float,
        connections_of: Callable[[str], Sized],
        *,
        roster: Roster | None = None,
        left_elsewhere: Callable[[str], object] = bool,
    ) -> None:
        """`left_elsewhere`: is told who has no connection on other nodes any more."""
        self._grace_s = grace_s
        self._connections_of = connections_of
        self._online: dict[str, User] = {}
        """Those who are here, the grace included."""
        self._away: dict[str, _Absence] = {}
        self._is_stopped = False
        self._began_at = monotonic()
        self._roster = roster or LoneRoster()
        self._roster.listen(
            Listener(lambda user: events.emit("user.online", user), lambda user: events.emit("user.offline", user), left_elsewhere)
        )

    def is_online(self, user_id: str) -> bool:
        """Whether the user has a connection on any node, or had one within the grace."""
        return user_id in self._online or self._roster.is_online_elsewhere(user_id)

    def absent_since(self, user_id: str) -> datetime | None:
        """When an online user's last connection ended; None: it has not, or the user is not online."""
        is_here = user_id in self._online and user_id not in self._away
        if is_here or self._roster.connections_elsewhere(user_id):
            return None
        here = self._away[user_id].since if user_id in self._away else None
        return max(filter(None, (here, self._roster.absent_elsewhere_since(user_id))), default=None)

    def is_cut_off(self, user_id: str) -> bool:
        """Whether the user was online when this node began to stop: whoever is cut off by us has not left."""
        return self._is_stopped and user_id in self._online

    def arrived(self, user: User, *, is_back: bool = False) -> None:
        """A connection of this user opened. `is_back`: its page says that it was connected before.

        Who comes back within the grace after a start was never away: the server was.
        """
        is_new = user.id not in self._online
        self._online[user.id] = user
        absence = self._away.pop(user.id, None)
        if absence is not None:
            absence.timer.cancel()
        if is_new and not self._is_stopped:
            was_here = is_back and monotonic() - self._began_at < self._grace_s
            (self._roster.came_back if was_here else self._roster.came)(user)
        else:
            self._roster.has(user, len(self._connections_of(user.id)))

    def left(self, user: User) -> None:
        """A connection of this user is gone."""
        if user.id in self._away or user.id not in self._online:
            return
        connections, now = len(self._connections_of(user.id)), utc_now()
        self._roster.has(self._online[user.id], connections, None if connections else now)
        if not connections and not self._is_stopped:
            self._away[user.id] = _Absence(asyncio.get_running_loop().call_later(self._grace_s, self._over, user.id), now)

    def stop(self) -> None:
        """Tell nothing more: that the server stops is no news about users."""
        self._is_stopped = True
        for absence in self._away.values():
            absence.timer.cancel()
        self._away.clear()

    def __len__(self) -> int:
        """How many users are online here."""
        return len(self._online)

    def count_everywhere(self) -> int:
        """How many users are online on any node, each once, as this one knows."""
        return len(self) + self._roster.online_besides(self._online.keys())

    def _over(self, user_id: str) -> None:
        del self._away[user_id]
        if not self._connections_of(user_id):
            self._roster.gone(self._online.pop(user_id))
