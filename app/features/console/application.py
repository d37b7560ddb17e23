"""The console of one application: who is signed in, what they look at, and whom they ask."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from litestar.routes import BaseRoute

from app.features.console.door import in_front_of
from app.features.console.live import Live
from app.features.console_sessions import Sessions
from app.features.services import Services
from app.web.answering import Office
from app.web.desk import Counter
from app.web.front import Asgi


class Console:
    """`open` it, then put it `in_front_of` other sockets, before the application starts."""

    counter: Counter
    sessions: Sessions
    live: Live

    def __init__(self, services: Services) -> None:
        self.services = services

    def open(self, office: Office) -> None:
        """Ask operations that pass this office, once their routes are known."""
        self.counter = Counter(office)
        self.sessions = Sessions(self.services.database, office.guard)
        self.live = Live(self.services, self.sessions, self.counter)

    def in_front_of(self, others: Asgi, routes: Iterable[BaseRoute]) -> Asgi:
        """The door of its own sockets, in front of that of all others. `routes`: all of the application, which it can ask now."""
        self.counter.serve(routes)
        return in_front_of(others, self.services, self.sessions, self.live)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep its pages up to date; hang up on them when this node says goodbye to all others."""
        await self.sessions.open()
        hub = self.services.hub
        hub.on_drained(self.live.close_all)
        try:
            async with self.live.running():
                yield
        finally:
            hub.on_drained.remove(self.live.close_all)
