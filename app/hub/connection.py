"""One open socket, as handlers and the back office see it."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.hub.close import Close
from app.hub.geometry import Place
from app.hub.outbox import Outbox
from app.hub.past import NO_PAST, Past
from app.kernel.clock import monotonic, utc_now
from app.kernel.identity import User
from app.wire.dialect import Dialect
from app.wire.update import Update


class Connection:
    """Lives from the end of the handshake until the socket is gone; then `closed_at` is set and it hears nothing."""

    __slots__ = (
        "_active_at",
        "_close",
        "_rooms",
        "_send",
        "_session",
        "address",
        "caught_up_on",
        "closed_as",
        "closed_at",
        "connected_at",
        "dialect",
        "id",
        "is_back",
        "outbox",
        "past",
        "place",
        "received_count",
        "user",
        "user_agent",
    )

    def __init__(
        self,
        connection_id: str,
        *,
        user: User | None,
        dialect: Dialect,
        outbox: Outbox,
        address: str = "",
        user_agent: str = "",
        is_back: bool = False,
        past: Past = NO_PAST,
        send: Callable[["Connection", Update], None],
        close: Callable[["Connection", Close, str | None], None],
    ) -> None:
        self.id = connection_id
        self.user = user
        """Who it is; None: nobody signed in."""
        self.dialect = dialect
        self.outbox = outbox
        self.address = address
        self.user_agent = user_agent
        self.is_back = is_back
        """Whether the page was connected before and says so: what it shows may not be true any more."""
        self.past = past
        """What the page was before, as far as it may not have heard of it yet."""
        self.connected_at = utc_now()
        self._active_at = monotonic()
        self.place: Place | None = None
        """Where the page said that it is. Lives and dies with the connection: places are never stored."""
        self.caught_up_on: Collection[str] = ()
        """Keys of the stored things that it was shown when it came back: they are not pushed to it again."""
        self._rooms: dict[str, str] | None = None
        """With the place in the journal from which on it heard each."""
        self.closed_at: datetime | None = None
        self.closed_as: Close | None = None
        """Why we hung up; None: we did not."""
        self.received_count = 0
        """Messages that the page sent."""
        self._session: dict[str, Any] | None = None
        self._send = send
        self._close = close

    @property
    def sent_count(self) -> int:
        """Messages that were given to the socket."""
        return self.outbox.sent_count

    @property
    def session(self) -> dict[str, Any]:
        """Handlers' own notes about this connection. Made at first use: most connections only listen.

        A page that comes back soon has them again, as far as msgpack can hold them.
        """
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, notes: dict[str, Any]) -> None:
        self._session = notes

    @property
    def has_notes(self) -> bool:
        """Whether there is anything in `session`."""
        return bool(self._session)

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that the connection is in, in the order in which it joined them."""
        return self._rooms.keys() if self._rooms is not None else ()

    def rooms_at(self, cursor: str) -> Collection[str]:
        """Those of its rooms in which it heard what has this place in the journal."""
        return [room_id for room_id, since in self._rooms.items() if since < cursor] if self._rooms is not None else ()

    @property
    def rooms_since(self) -> Mapping[str, str]:
        """Its rooms, each with the place in the journal from which on it heard it."""
        return self._rooms if self._rooms is not None else {}

    def enter(self, room_id: str, since: str) -> None:
        """Note a room as the one joined last. Called by the registry, which finds connections by their rooms.

        `since`: the place in the journal from which on it hears the room. The earliest counts while it stays.
        """
        if self._rooms is None:
            self._rooms = {}
        self._rooms[room_id] = min(self._rooms.pop(room_id, since), since)

    def exit(self, room_id: str) -> None:
        """Forget a room. Called by the registry."""
        if self._rooms is not None:
            self._rooms.pop(room_id, None)

    @property
    def idle_s(self) -> float:
        """Seconds since the page last sent something, or connected. A clock that is set does not move it."""
        return monotonic() - self._active_at

    @property
    def last_active_at(self) -> datetime:
        """When the page last sent something, or connected."""
        return utc_now() - timedelta(seconds=self.idle_s)

    def touch(self) -> None:
        """The page sent something. Pings, and what it is sent, are no activity."""
        self._active_at = monotonic()

    def send(self, update: Update) -> None:
        """Put one update into the outbox of this connection, at once: it overtakes what was published and not awaited."""
        self._send(self, update)

    def close(self, why: Close = Close.BACK_OFFICE, reason: str | None = None) -> None:
        """Close the socket; `reason` (at most 123 bytes) replaces the table's own words."""
        self._close(self, why, reason)

    def summary(self) -> Mapping[str, object]:
        """For the one line of the log: whose it was, and what it was for."""
        return {
            "connection": self.id,
            "user": self.user.id if self.user is not None else None,
            "dialect": self.dialect.name,
            "seconds": round(((self.closed_at or utc_now()) - self.connected_at).total_seconds(), 3),
            "sent": self.sent_count,
            "received": self.received_count,
        }

    def __repr__(self) -> str:
        """For logs and the debugger."""
        return f"<Connection {self.id} user={self.user.id if self.user else None}>"
