"""The console of one application: who is signed in, what they look at, and whom they ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.features.console.door import in_front_of
from app.features.console.live import Live
from app.features.console_sessions import Sessions
from app.features.services import Services
from app.web.desk import Counter
from app.web.front import Asgi
from app.web.socket import SocketRules


class Console:
    """`open` it before the application starts."""

    counter: Counter
    sessions: Sessions
    live: Live

    def __init__(self, services: Services) -> None:
        self.services = services

    def open(self, counter: Counter) -> None:
        """From now on it can ask operations."""
        self.counter = counter
        self.sessions = Sessions(self.services.database, counter.office.guard)
        self.live = Live(self.services, self.sessions, counter)

    def in_front_of(self, others: Asgi, rules: SocketRules) -> Asgi:
        """The door of its own sockets, in front of that of all others."""
        return in_front_of(others, self.services, self.sessions, self.live, rules)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep its pages up to date; hang up on them when this node says goodbye to all others."""
        hub = self.services.hub
        hub.on_drained(self.live.close_all)
        try:
            async with self.live.running():
                yield
        finally:
            hub.on_drained.remove(self.live.close_all)
