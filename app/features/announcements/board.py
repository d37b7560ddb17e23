"""The announcements in force, in memory: a page that connects is shown them at once, and no connect asks the database.

What is shown, edited or recalled changes the board in the same turn of the loop in which it is pushed, and a page is shown the
board in the turn in which it begins to hear. So each page gets each announcement from one of the two, and never from both.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from markupsafe import Markup

from app.features.announcements import store, view
from app.features.announcements.audience import settled_audience
from app.features.announcements.model import AnnouncementRow
from app.features.services import Services
from app.hub.audience import Audience, hears
from app.hub.connection import Connection
from app.kernel.clock import utc_now

MAX_KEPT = 1_000
"""Announcements in memory, the newest: some 500 KiB. Older ones in force are still listed, edited and recalled by REST."""
MAX_SHOWN = 20
"""Announcements that a page is shown when it connects: the newest that concern it."""


class Posted(NamedTuple):
    """One announcement on the board."""

    html: Markup
    audience: Audience
    """Settled: it can be asked of one connection without the database."""
    expires_at: datetime | None


class Board:
    """Newest last, as a dict keeps them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._posted: dict[UUID, Posted] = {}
        self.changing = asyncio.Lock()
        """Held around each change, from before it is stored until it is on the screens: nothing that was recalled is shown late."""

    async def load(self) -> None:
        """Read what is in force, at start."""
        async with self._services.database.reading() as session:
            rows = await store.newest_in_force(session, utc_now(), MAX_KEPT)
        for row in reversed(rows):
            self.put(row, await settled_audience(self._services, row))

    def put(self, row: AnnouncementRow, audience: Audience) -> None:
        """Post an announcement, or post it anew in its old place."""
        self._posted[row.id] = Posted(view.item(row), audience, row.expires_at)
        if len(self._posted) > MAX_KEPT:
            del self._posted[next(iter(self._posted))]

    def take_down(self, announcement_id: UUID) -> None:
        """Remove an announcement; nothing happens when it is not there."""
        self._posted.pop(announcement_id, None)

    def show(self, connection: Connection) -> None:
        """Show a page what concerns it, in place of what it shows; nothing to a new page whom nothing concerns.

        A page that comes back is told of nothing, too: it may have been away while something was recalled.
        """
        now = utc_now()
        shown: list[Markup] = []
        for posted in reversed(self._posted.values()):
            if (posted.expires_at is None or posted.expires_at > now) and hears(connection, posted.audience):
                shown.append(posted.html)
                if len(shown) == MAX_SHOWN:
                    break
        if shown or connection.is_back:
            connection.send(view.in_force(shown))
