"""The announcements in force, in memory, and what time brings about.

**The board**: a page that connects is shown what is in force at once, and no connect asks the database. What is shown, edited or
recalled changes the board in the same turn of the loop in which it is pushed, and a page is shown the board in the turn in which it
begins to hear. So each page gets each announcement from one of the two, and never from both.

**The schedule**: announcements whose hour has come are shown, by exactly one node; those whose time is over are taken down. Times
of day are compared with the clock at least every half minute, so a clock that is set is noticed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

import structlog
from markupsafe import Markup

from app.features.announcements import store, view
from app.features.announcements.model import AnnouncementRow
from app.features.background import Rest, background
from app.features.services import Services
from app.features.unsent import Unsent
from app.hub.audience import Audience, everyone, hears
from app.hub.connection import Connection
from app.hub.publication import one
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable
from app.wire.update import MAX_OOB

PUBLISHED = "announcement.published"
MAX_KEPT = 1_000
"""Announcements in memory, the newest: some 500 KiB. Older ones in force are still listed, edited and recalled by REST."""
MAX_SHOWN = 20
"""Announcements that a page is shown when it connects: the newest that concern it."""
LONGEST_SLEEP_S = 30.0
RETRY_S = 2.0
"""Seconds between tries while the database is away."""
AT_ONCE = 100
"""Announcements that are due, in one step."""
GONE_AT_ONCE = 1 + MAX_OOB
"""Announcements that are taken down by one update."""

_log = structlog.get_logger()

Show = Callable[[Services, AnnouncementRow, Audience, str], Awaitable[object]]
"""Under the id that was noted with the claim."""


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


class Schedule:
    """Sleeps until something is to be done. Tell it by `changed()` when that may be earlier than it knows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._changed = asyncio.Event()
        self._expired_until = utc_now()
        """What had expired by then is on no screen."""

    def changed(self) -> None:
        """A time was added or changed."""
        self._changed.set()

    @asynccontextmanager
    async def running(self, show: Show) -> AsyncIterator[None]:
        """Work while the block runs. `show` puts an announcement on the screens of its audience."""
        async with background("announcement schedule", partial(self._run, show)):
            yield

    async def _run(self, show: Show, rest: Rest) -> None:
        while True:
            self._changed.clear()
            try:
                await self._show_due(show)
                await self._take_down_expired()
                sleep_s = await self._seconds_to_the_next()
            except Unavailable as error:
                _log.warning("announcements wait for the database", error=error.detail)
                sleep_s = RETRY_S
            except Exception:
                _log.exception("announcement schedule failed")
                sleep_s = RETRY_S
            await rest.wait(self._changed, sleep_s)

    async def _show_due(self, show: Show) -> None:
        database = self._services.database
        async with database.reading() as session:
            due = await store.due(session, utc_now(), AT_ONCE)
        for announcement_id in due:
            async with self._services.of(Board).changing:
                async with database.transaction() as session:
                    row = await store.claim(session, announcement_id, utc_now())
                    if row is None:
                        continue
                    view.item(row)  # what fails must fail before it is claimed for good
                    audience = await settled_audience(self._services, row)
                    publication_id = await self._services.of(Unsent).note(session, PUBLISHED, [row.id])
                await show(self._services, row, audience, publication_id)
        if len(due) == AT_ONCE:
            self._changed.set()

    async def _take_down_expired(self) -> None:
        board = self._services.of(Board)
        async with board.changing:
            now = utc_now()
            async with self._services.database.reading() as session:
                expired = await store.expired_between(session, self._expired_until, now)
            for start in range(0, len(expired), GONE_AT_ONCE):
                ids = expired[start : start + GONE_AT_ONCE]
                for announcement_id in ids:
                    board.take_down(announcement_id)
                await self._services.hub.publish(one(everyone, view.gone(*ids)))
                await asyncio.sleep(0)  # each goes to every page: other work has its turn in between
            self._expired_until = now

    async def _seconds_to_the_next(self) -> float:
        async with self._services.database.reading() as session:
            moments = await store.next_due(session), await store.next_expiry(session, self._expired_until)
        soonest: datetime | None = min(filter(None, moments), default=None)
        if soonest is None:
            return LONGEST_SLEEP_S
        return min(max((soonest - utc_now()).total_seconds(), 0.0), LONGEST_SLEEP_S)


async def settled_audience(services: Services, row: AnnouncementRow) -> Audience:
    """Who hears of it, also when they come later: with all followers and friends in it, as they are now. Raises Unavailable."""
    return await services.hub.settle(row.concerned, also_absent=True)
