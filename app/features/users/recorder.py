"""Writes down who connects: behind the connects, in batches, so that a thousand connects at once are one transaction.

What the newest token says replaces the name and the roles in the row, also those that the back office has put there. A row that is
lost in a crash is made at the user's next connect: nothing was promised to anybody.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from app.features.gathering import Gathering
from app.features.services import Services
from app.features.users import store
from app.hub.connection import Connection
from app.kernel.identity import User

PAUSE_S = 0.2
"""Seconds in which connects are gathered into one transaction."""


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Record while the server runs; write down the rest at its end."""

    async def write_down(users: Mapping[str, User]) -> None:
        async with services.database.transaction() as session:
            await store.record_connected(session, users)

    arrivals: Gathering[str, User] = Gathering("users who connected", write_down, pause_s=PAUSE_S)

    def arrived(connection: Connection) -> None:
        if connection.user is not None:
            arrivals.add(connection.user.id, connection.user)

    async with arrivals.running():
        services.hub.on_arrival(arrived)
        try:
            yield
        finally:
            services.hub.on_arrival.remove(arrived)
