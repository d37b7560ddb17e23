"""One open socket, as handlers and the back office see it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.hub.close import Close
from app.hub.outbox import Outbox
from app.kernel.clock import utc_now
from app.kernel.identity import User
from app.wire.dialect import Dialect
from app.wire.update import Update


class Connection:
    """Lives from the end of the handshake until the socket is gone; then `closed_at` is set and it hears nothing."""

    __slots__ = (
        "_close",
        "_send",
        "_session",
        "address",
        "closed_as",
        "closed_at",
        "connected_at",
        "dialect",
        "id",
        "last_active_at",
        "outbox",
        "received_count",
        "sent_count",
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
        self.connected_at = self.last_active_at = utc_now()
        self.closed_at: datetime | None = None
        self.closed_as: Close | None = None
        """Why we hung up; None: we did not."""
        self.sent_count = 0
        """Messages put into the outbox."""
        self.received_count = 0
        """Messages that the page sent."""
        self._session: dict[str, Any] | None = None
        self._send = send
        self._close = close

    @property
    def session(self) -> dict[str, Any]:
        """Handlers' own notes about this connection. Made at first use: most connections only listen."""
        if self._session is None:
            self._session = {}
        return self._session

    def send(self, update: Update) -> None:
        """Put one update into the outbox of this connection, at once: it overtakes what was published and not awaited."""
        self._send(self, update)

    def close(self, why: Close = Close.BACK_OFFICE, reason: str | None = None) -> None:
        """Close the socket; `reason` (at most 123 bytes) replaces the table's own words."""
        self._close(self, why, reason)

    def __repr__(self) -> str:
        """For logs and the debugger."""
        return f"<Connection {self.id} user={self.user.id if self.user else None}>"
