"""Use cases: the back office sets its figures; admins see them beside the live numbers.

While no admin is connected nothing is done at all: no query, and no timer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from app.features.background import Rest, background
from app.features.dashboard import store, view
from app.features.messages import count_since
from app.features.services import Services
from app.hub.audience import everyone, roles
from app.hub.connection import Connection
from app.hub.lease import Owner
from app.hub.publication import one
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable, why
from app.kernel.identity import ADMIN_ROLE

PAUSE_S: Final = 0.05
"""Seconds in which admins who arrive, and figures that change, are gathered into one update."""
WINDOW: Final = timedelta(hours=1)
ADMINS: Final = roles(ADMIN_ROLE)

_log = structlog.get_logger()


async def dashboard(services: Services) -> view.Dashboard:
    """The numbers as they are now. Raises Unavailable."""
    now = utc_now()
    async with services.database.reading() as session:
        figures = await store.figures(session)
        messages = await count_since(session, now - WINDOW)
    live = await services.everywhere.count(everyone)
    return view.Dashboard(live.users, live.connections, messages, view.as_given(figures), now, list(live.missing))


async def set_figures(services: Services, figures: Mapping[str, float]) -> dict[str, int | float]:
    """Store these figures in place of all others; admins see them at once. Raises Unavailable."""
    async with services.database.transaction() as session:
        await store.replace(session, figures)
    services.of(Screens).changed()
    return view.as_given(figures)


class Screens:
    """The dashboards on the screens of admins."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """There is something new to be shown, if anybody looks."""
        if self._are_seen():
            self._changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the screens up to date while the block runs."""
        hub = self._services.hub
        hub.on_arrival(self._arrived)
        hub.on_disconnection(self._left)
        try:
            async with background("dashboard", self._run):
                yield
        finally:
            hub.on_arrival.remove(self._arrived)
            hub.on_disconnection.remove(self._left)

    def _arrived(self, connection: Connection) -> None:
        if connection.user is not None and connection.user.is_admin:
            self._changed.set()

    def _left(self, connection: Connection) -> None:
        if connection.user is not None and connection.user.is_admin and not self._are_seen():
            self._changed.set()  # so that the timer is put away

    def _are_seen(self) -> bool:
        hub = self._services.hub
        return bool(hub.registry.resolve(ADMINS)) or hub.roster.admins_elsewhere > 0

    async def _run(self, rest: Rest) -> None:
        while True:
            is_alone, interval_s = self._services.hub.roster.is_alone, self._services.settings.dashboard_interval_s
            has_changed = await rest.wait(self._changed, interval_s if self._are_seen() or not is_alone else None)
            if has_changed:
                await rest.sleep(PAUSE_S)
            self._changed.clear()
            # The interval is one node's for all; what changes on a node, and who comes to it, is that node's own.
            if self._are_seen() and (has_changed or self._services.lease.owner is Owner.HERE):
                await self._show()

    async def _show(self) -> None:
        try:
            await self._services.hub.publish(one(ADMINS, view.shown(await dashboard(self._services))))
        except Unavailable as error:
            _log.warning("dashboard not shown", **why(error))
        except Exception:
            _log.exception("dashboard not shown")


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Keep the dashboards of admins up to date while the server runs."""
    async with services.of(Screens).running():
        yield
