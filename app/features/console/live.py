"""Keeps the pages of the console up to date: a hub of their own, to which the same engine delivers.

Of their own: so they are not among the connections of the product, no `everyone` of a caller reaches them, and nobody else hears
what they are shown. What several look at with the same key is made once, encoded once, and sent when it has changed. While
nobody looks nothing is done.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
import structlog

from app.auth.keys import Caller
from app.features.asking import read
from app.features.background import Rest, background
from app.features.console_charts import Samples
from app.features.console_pages import PAGES, Page, Visit
from app.features.console_sessions import Session, Sessions
from app.features.fragments import fragments
from app.features.services import Services
from app.hub.audience import connections
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.handlers import Handlers, Request
from app.hub.hub import Hub
from app.hub.publication import one
from app.journal.memory import MemoryJournal
from app.kernel.clock import monotonic
from app.kernel.errors import AppError, Refused, Unavailable, why
from app.kernel.ids import new_short_id
from app.web.desk import Counter, Desk
from app.wire.update import Update

PLACE: Final = "#live"
EVERY_S: Final = 1.0
"""Seconds of a turn: what is live is made anew once in it at most."""
LOOK_EVERY_S: Final = 0.2
"""Seconds between two looks at who is signed in still. A key that another node has revoked is looked up anew after 0.5 s
(`app.auth.keys`), and the look behind that finds it out: its pages are closed within a second, on every node."""
VIEW_WITHIN_S: Final = 1.0
"""Seconds for what one page shows. A slower one is not cut off, as whoever cancels a query of SQLite waits for its end: it is made
to its end beside the next turns, nobody is shown it, and it is not made anew before."""
MAX_VIEWS: Final = 32
"""Different things that the pages of one key are shown at a time: each asks the database, or all nodes. The page that would be one
too many is told so, and asks again."""
KEPT: Final = 32
"""Publications for pages that come back: they are shown all anew a moment later."""
KEPT_S: Final = 30.0
TOTAL_BYTES: Final = 67_108_864
"""Queued for all pages of the console together: some hundreds that take nothing."""

_log = structlog.get_logger()


class Watch(msgspec.Struct, frozen=True):
    """What a page asks to be kept up to date."""

    page: Annotated[str, msgspec.Meta(max_length=64)]
    query: Annotated[str, msgspec.Meta(max_length=4_096)] = ""


class _View(NamedTuple):
    """What all of these pages are shown alike."""

    key_id: str
    page: str
    query: str
    """In one form, whatever form the page's address has."""


class _Watching(NamedTuple):
    """A page wants to be shown a view."""

    connection_id: str
    view: _View
    number: int
    """Another one each time that it asks: it may have let pass what it was shown before."""


class _Shown(NamedTuple):
    """What pages have of a view, and in which turn it was made."""

    turn_number: int
    pages: frozenset[_Watching]
    html: str


_NEVER: Final = _Shown(0, frozenset(), "")


class Live:
    """The pages of the console on this node."""

    def __init__(self, services: Services, sessions: Sessions, counter: Counter) -> None:
        journal = MemoryJournal(KEPT, max_age_s=KEPT_S)
        settings = services.settings
        self.hub = Hub(
            journal,
            outbox_bytes=settings.outbox_bytes,
            outbox_total_bytes=TOTAL_BYTES,
            replay_s=KEPT_S,
            max_message_bytes=settings.max_message_bytes,
        )
        self.handlers = Handlers()
        self.handlers.on("watch")(self._watch)
        self.handlers.on("pause")(self._pause)
        self.samples = Samples(services.hub)
        self._sessions = sessions
        self._counter = counter
        self._pages = {page.name: page for page in PAGES if page.every_turns}
        self._some = asyncio.Event()
        self._known = asyncio.Event()
        """Set while somebody is known to be signed in."""
        self._signed_in: Mapping[str, Session] = {}
        """Those who look at pages, as it was at the last look; nobody, where that failed."""
        self._turn_number = 0
        self._watching: dict[str, _Watching] = {}
        """By connection; some have gone in this turn."""
        self._numbers = count()
        self._shown: dict[_View, _Shown] = {}
        self._making: dict[_View, asyncio.Task[None]] = {}
        self.hub.on_connection(lambda _connection: self._some.set())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep them up to date while the block runs; then all are told to come back later."""
        try:
            async with background("who is at the console", self._keep_looking), background("console", self._run):
                yield
        finally:
            self.close_all()
            await asyncio.gather(*self._making.values())
            self.hub.stop()

    def close_all(self) -> None:
        """The server stops: it takes no more of them."""
        self.hub.is_draining = True
        for connection in tuple(self.hub.registry):
            self.hub.close(connection, Close.RESTARTING)

    def close(self, session_id: str) -> None:
        """Hang up on the pages of a session, which has ended."""
        for connection in tuple(self.hub.registry.of_user(session_id)):
            self.hub.close(connection, Close.TOKEN_ENDED)

    async def _watch(self, request: Request, connection: Connection) -> None:
        asked = read(request, Watch)
        page = self._pages.get(asked.page)
        if page is None:
            raise Refused("This page is not kept up to date.", code="not_live")
        self._watching.pop(connection.id, None)
        query = page.asked(dict(parse_qsl(asked.query)))
        view = _View(_key_of(connection), page.name, urlencode(sorted(query.items())))
        open_ones = (one.view for one in self._watching.values() if self.hub.registry.get(one.connection_id) is not None)
        if len({one for one in open_ones if one.key_id == view.key_id and one != view}) >= MAX_VIEWS:
            message = f"{MAX_VIEWS} other pages of this key are kept up to date already"
            raise Refused(message, code="too_many_views")
        self._watching[connection.id] = _Watching(connection.id, view, next(self._numbers))

    async def _pause(self, _request: Request, connection: Connection) -> None:
        self._watching.pop(connection.id, None)

    async def _keep_looking(self, rest: Rest) -> None:
        while True:
            await rest.wait(self._some)
            try:
                await self._look()
            except Unavailable as error:
                self._signed_in = {}
                _log.warning("the console's pages are not kept up to date now", **why(error))
                await rest.sleep(EVERY_S)
            except Exception:
                self._signed_in = {}
                _log.exception("the console's pages were not kept up to date")
                await rest.sleep(EVERY_S)
            await rest.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        """Hang up on those who are not signed in any more."""
        ids = {connection.user.id for connection in self.hub.registry if connection.user is not None}
        self._signed_in = await self._sessions.find_all(ids) if ids else {}
        for ended in ids - self._signed_in.keys():
            self.close(ended)
        if self._signed_in:
            self._known.set()

    async def _run(self, rest: Rest) -> None:
        while True:
            await rest.wait(self._known)
            await self._turn()
            self._turn_number += 1
            await rest.sleep(EVERY_S)

    async def _turn(self) -> None:
        there = {connection.id: connection for connection in self.hub.registry}
        if not there:
            self._some.clear()
            self._known.clear()
            self._watching.clear()
            self._shown.clear()
            self.samples.rest()
            return
        self._watching = {connection_id: one for connection_id, one in self._watching.items() if connection_id in there}
        views = self._views(there)
        if any(view.page == "overview" for view in views):
            self.samples.take()
        else:
            self.samples.rest()
        self._shown = {view: shown for view, shown in self._shown.items() if view in views}
        for view, (caller, pages) in views.items():
            if view not in self._making:
                self._making[view] = asyncio.create_task(self._try_to_show(view, caller, frozenset(pages)))
        if self._making:
            await asyncio.wait(self._making.values(), timeout=VIEW_WITHIN_S)

    def _views(self, there: Mapping[str, Connection]) -> dict[_View, tuple[Caller, list[_Watching]]]:
        """What pages look at, in whose name, and which do."""
        views: dict[_View, tuple[Caller, list[_Watching]]] = {}
        for connection_id, watching in self._watching.items():
            connection = there[connection_id]
            session = self._signed_in.get(connection.user.id) if connection.user is not None else None
            if session is not None and connection.closed_as is None:
                views.setdefault(watching.view, (session.caller, []))[1].append(watching)
        return views

    async def _try_to_show(self, view: _View, caller: Caller, pages: frozenset[_Watching]) -> None:
        """One that is slow or fails holds up neither the others nor the next look at who is signed in."""
        try:
            await self._show(view, caller, pages)
        except Exception:
            _log.exception("a page of the console cannot be kept up to date", page=view.page)
        finally:
            del self._making[view]

    async def _show(self, view: _View, caller: Caller, pages: frozenset[_Watching]) -> None:
        page, before = self._pages[view.page], self._shown.get(view, _NEVER)
        if pages <= before.pages and self._turn_number - before.turn_number < page.every_turns:
            return
        until = monotonic() + VIEW_WITHIN_S
        html = await self._part(page, caller, dict(parse_qsl(view.query)))
        if monotonic() > until:
            _log.warning("a page of the console is slow, and is not kept up to date now", page=view.page)
            return
        if html is None:
            return
        hearers = pages if html != before.html else pages - before.pages
        self._shown[view] = _Shown(self._turn_number, pages, html)
        if hearers:
            await self.hub.publish(one(connections(*(hearer.connection_id for hearer in hearers)), Update(PLACE, html)))

    async def _part(self, page: Page, caller: Caller, query: Mapping[str, str]) -> str | None:
        """The live part of a page; None: it is not for this caller."""
        desk = Desk(self._counter, caller, address="", request_id=new_short_id(), is_counted=False)
        if not desk.may(*page.scopes):
            return None
        try:
            shown = await page.load(Visit(desk, query, self.samples))
        except AppError as error:
            return fragments.render("console_pages/refused.html", detail=error.detail)
        return fragments.render(f"console_pages/{page.name}-live.html", **shown)


def _key_of(connection: Connection) -> str:
    """The key that its page was signed in with: see `app.features.console.door`."""
    return "".join(connection.user.roles if connection.user is not None else ())
