"""The board: the announcements in force, in memory.

A page that connects is shown what is in force at once, and no connect asks the database. Each node has a board. It is read at
start, and follows the journal from then on: what is shown, edited or recalled, by whatever node, changes the board of every node in
the same turn of the loop in which it is delivered to the pages there, and a page is shown the board in the turn in which it begins
to hear. So each page gets each announcement from one of the two, and never from both. A change of another node that comes too late
is told as the announcement is by then. When the journal has lost something, or the database was restored, the board is read anew,
and shown to every page.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from sys import maxsize
from typing import NamedTuple
from uuid import UUID

import structlog
from markupsafe import Markup
from msgspec.structs import replace

from app.features.announcements import store, view
from app.features.announcements.model import NEWS, AnnouncementRow, read_told
from app.features.background import Rest, background
from app.features.gathering import Gathering
from app.features.services import Services
from app.hub.audience import Audience, everyone, hears
from app.hub.connection import Connection
from app.hub.publication import Part, Publication
from app.hub.settling import is_settled
from app.kernel.clock import utc_now

MAX_KEPT = 1_000
"""Announcements in memory, the newest: some 500 KiB. Older ones in force are still listed, edited and recalled by REST."""
MAX_SHOWN = 20
"""Announcements that a page is shown when it connects: the newest that concern it."""
SHOWN_AT_ONCE = 100
"""Pages that are shown the board before other work has its turn: some milliseconds."""
SETTLE_PAUSE_S = 0.02
"""Seconds in which announcements of other nodes to followers or friends are gathered, before those are looked up."""
RECALLED, NEVER = maxsize, -1
"""In place of the version up to which one was taken down: it is deleted; it was not taken down."""
RETRY_S = 2.0
"""Seconds between tries while the database is away."""

_log = structlog.get_logger()


class Posted(NamedTuple):
    """One announcement on the board."""

    html: Markup
    concerned: Audience
    """As it is stored."""
    audience: Audience
    """The same, settled: it can be asked of one connection without the database."""
    expires_at: datetime | None
    version: int


class Board:
    """Newest last, as a dict keeps them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hub = services.hub
        self._posted: dict[UUID, Posted] = {}
        self._gone: OrderedDict[UUID, int] = OrderedDict()
        """Up to which version the last ones were taken down: publications of these may still be on their way."""
        self._known: dict[str, Audience] = {}
        """By the id of a publication that is on its way from here: its settled audience."""
        self._audiences: Gathering[UUID, object] = Gathering("audiences of announcements", self._settle, pause_s=SETTLE_PAUSE_S)
        self._lost = asyncio.Event()
        self._is_whole = True
        """Whether nothing was lost of what it follows, since it was read."""
        self._touched: set[UUID] | None = None
        """What changed since it began to be read; None: it is not being read."""
        self.times_changed: Callable[[], object] = bool
        """Called when the hour may be another at which something is to be done. Set by whoever does that."""
        self.changing = asyncio.Lock()
        """Held around each change that this node makes, from before it is stored until it is on the screens."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have what is in force, and show it to pages that connect, while the block runs. Raises Unavailable."""
        hub = self._hub
        hub.news.on(NEWS, before=self.heard)
        hub.on_lost(self._has_lost)
        try:
            await self._read()
            async with self._audiences.running(), background("announcement board", self._read_what_is_lost):
                hub.on_arrival(self.show)
                yield
                hub.on_arrival.remove(self.show)
        finally:
            hub.on_lost.remove(self._has_lost)
            hub.news.off(NEWS)

    @contextmanager
    def knowing(self, publication_id: str, audience: Audience) -> Iterator[None]:
        """Around the push of an announcement: its settled audience need not be looked up here."""
        self._known[publication_id] = audience
        try:
            yield
        finally:
            del self._known[publication_id]

    def heard(self, publication: Publication) -> Publication:
        """Do what a publication says, and return what pages are told: how it is by now, where another node knew less."""
        told = read_told(publication.news.about if publication.news is not None else b"")
        if self._touched is not None:
            self._touched.add(told.id)
        self.times_changed()
        if told.concerned is None:
            self._take_down(told.id, RECALLED)
            return publication
        there, last = self._posted.get(told.id), publication.parts[-1]
        if there is not None and told.version < there.version:
            return replace(publication, parts=_in_its_place(told.id, there))
        if told.expires_at is not None and told.expires_at <= utc_now():
            self._take_down(told.id, told.version)
        if told.version <= self._gone.get(told.id, NEVER):
            return replace(publication, parts=(Part(everyone, view.gone(told.id)),))
        if there is not None and told.version == there.version:  # it is pushed again, or was read before it was heard of
            return replace(publication, parts=_in_its_place(told.id, there))
        audience = self._audience_of(publication.id, told.id, told.concerned, last.audience)
        posted = Posted(view.item_in(last.update), told.concerned, audience, told.expires_at, told.version)
        self._put(told.id, posted)
        if there is None and view.is_edit(last.update):  # it was taken down while it was edited
            shown = Part(last.audience, view.published(posted.html))
            return replace(publication, parts=(Part(everyone, view.gone(told.id)), shown))
        return publication

    def expire(self, announcement_id: UUID, version: int) -> bool:
        """Take one down whose time is over, as far as this version says. False: a newer one is there, which stands."""
        if self._touched is not None:
            self._touched.add(announcement_id)
        posted = self._posted.get(announcement_id)
        if posted is not None and posted.version > version:
            return False
        self._take_down(announcement_id, version)
        return True

    def show(self, connection: Connection) -> None:
        """Show a page what concerns it, in place of what it shows; nothing to a new page whom nothing concerns.

        A page that comes back is told of nothing, too: it may have been away while something was recalled. While the board is not
        whole nothing is shown: all pages are, as soon as it is.
        """
        if self._is_whole:
            self._show(connection, also_nothing=connection.is_back)

    def _show(self, connection: Connection, *, also_nothing: bool) -> None:
        now = utc_now()
        shown: list[Markup] = []
        for posted in reversed(self._posted.values()):
            if (posted.expires_at is None or posted.expires_at > now) and hears(connection, posted.audience):
                shown.append(posted.html)
                if len(shown) == MAX_SHOWN:
                    break
        if shown or also_nothing:
            connection.send(view.in_force(shown))

    def _put(self, announcement_id: UUID, posted: Posted) -> None:
        """Post it, or post it anew in its old place."""
        self._posted[announcement_id] = posted
        if len(self._posted) > MAX_KEPT:
            del self._posted[next(iter(self._posted))]

    def _take_down(self, announcement_id: UUID, version: int) -> None:
        """This version, and those before it, are not shown any more."""
        self._posted.pop(announcement_id, None)
        self._gone[announcement_id] = max(version, self._gone.get(announcement_id, NEVER))
        if len(self._gone) > MAX_KEPT:
            self._gone.popitem(last=False)

    # -- audiences that stand in the database ------------------------------------------------------------------------
    def _audience_of(self, publication_id: str, announcement_id: UUID, concerned: Audience, told_to: Audience) -> Audience:
        """The settled audience; until it is looked up, that of before, or those who are told now."""
        if is_settled(concerned):
            return concerned
        if publication_id in self._known:
            return self._known[publication_id]
        self._audiences.add(announcement_id, object())
        there = self._posted.get(announcement_id)
        return there.audience if there is not None and there.concerned == concerned else told_to

    async def _settle(self, announcement_ids: Collection[UUID]) -> None:
        """Look up whom these concern, and show them to those who came meanwhile. Raises Unavailable."""
        for announcement_id in announcement_ids:
            posted = self._posted.get(announcement_id)
            if posted is None:
                continue
            audience = await self._hub.settle(posted.concerned, also_absent=True)
            if self._posted.get(announcement_id) is not posted:
                continue  # it was changed meanwhile: then it is looked up again, or gone
            self._posted[announcement_id] = posted._replace(audience=audience)
            for connection in tuple(self._hub.registry.resolve(audience)):
                if connection.outbox.catch_up is None and not hears(connection, posted.audience):
                    connection.send(view.published(posted.html))

    # -- what is read ------------------------------------------------------------------------------------------------
    def _has_lost(self) -> None:
        self._is_whole = False
        self._lost.set()

    async def _read_what_is_lost(self, rest: Rest) -> None:
        while await rest.wait(self._lost):
            self._lost.clear()
            try:
                await self._read()
            except Exception as error:
                _log.exception("announcements are not known", error=str(error))
                self._lost.set()
                await rest.sleep(RETRY_S)
            if not self._lost.is_set():
                self._is_whole = True
                await self._show_all()

    async def _read(self) -> None:
        """Read what is in force. What is heard of meanwhile counts, where it is newer. Raises Unavailable."""
        touched = self._touched = set()
        async with self._services.database.reading() as session:
            rows = await store.newest_in_force(session, utc_now(), MAX_KEPT)
            gone = await store.by_id(session, tuple(self._gone)) if self._gone else ()
        read: dict[UUID, Posted] = {}
        for row in reversed(rows):
            audience = await settled_audience(self._services, row)
            read[row.id] = Posted(view.item(row), row.concerned, audience, row.expires_at, row.version)
        self._bring_back(row for row in gone if row.id not in touched)
        heard = {one: self._posted[one] for one in self._posted if one in touched}
        newer = {one: posted for one, posted in heard.items() if one not in read or posted.version >= read[one].version}
        self._posted = {one: posted for one, posted in (read | newer).items() if posted.version > self._gone.get(one, NEVER)}
        self._touched = None

    def _bring_back(self, stored: Iterable[AnnouncementRow]) -> None:
        """These were taken down before the board was read: where they are stored otherwise, the database is an older one."""
        for row in stored:
            if row.state == "expired":
                self._gone[row.id] = row.version
            else:
                self._gone.pop(row.id, None)

    async def _show_all(self) -> None:
        """To every page: it may have missed anything, or have come while nothing was known."""
        for number, connection in enumerate(tuple(self._hub.registry), 1):
            if connection.outbox.catch_up is None:  # else it is shown when it has caught up
                self._show(connection, also_nothing=True)
            if not number % SHOWN_AT_ONCE:
                await asyncio.sleep(0)


def _in_its_place(announcement_id: UUID, posted: Posted) -> tuple[Part, ...]:
    """As it is, where it is: what was announced since stays above it."""
    return (Part(posted.audience, view.in_its_place(announcement_id, posted.html)),)


async def settled_audience(services: Services, row: AnnouncementRow) -> Audience:
    """Who hears of it, also when they come later: with all followers and friends in it, as they are now. Raises Unavailable."""
    return await services.hub.settle(row.concerned, also_absent=True)
