"""What lives on the demo page by itself: its two rooms, and the list of who is connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from app.features.fragments import fragments
from app.features.rooms import create_room
from app.features.services import Services
from app.hub.audience import everyone
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.publication import one
from app.kernel.errors import Conflict
from app.kernel.identity import User
from app.wire.update import Fragment, Update

ROOMS: Final = {"lobby": "Lobby", "kitchen": "Kitchen"}
"""The rooms of the page. They are there from the start, so that the back office can speak in them before anybody came in."""
PAUSE_S = 0.15
"""Seconds in which comings and goings are gathered into one update."""
MAX_SHOWN = 50
"""Users on the page; the number counts all connections."""


class Visitor(NamedTuple):
    """A user who is connected."""

    user: User
    tabs: int


def who_is_there(hub: Hub) -> Update:
    """The list of users, the number of connections, and the ids that are proposed where one is asked for."""
    there: dict[str, Visitor] = {}
    for connection in hub.registry:
        if (user := connection.user) is not None:
            there[user.id] = Visitor(user, there[user.id].tabs + 1 if user.id in there else 1)
    shown = sorted(there.values(), key=lambda visitor: (visitor.user.name.casefold(), visitor.user.id))[:MAX_SHOWN]
    anonymous = len(hub.registry) - sum(visitor.tabs for visitor in there.values())
    return Update(
        "#who",
        fragments.render("demo/who.html", visitors=shown, more=len(there) - len(shown), anonymous=anonymous),
        oob=(
            Fragment("#who-count", str(len(hub.registry)), "textContent"),
            Fragment("#people-ids", fragments.render("demo/people-ids.html", visitors=shown)),
        ),
    )


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Tell every page who is there, whenever that changes."""
    hub = services.hub
    changed = asyncio.Event()
    for room_id, name in ROOMS.items():
        with suppress(Conflict):
            await create_room(services, room_id, name, is_private=False)

    def note(_connection: Connection) -> None:
        changed.set()

    async def tell() -> None:
        while True:
            await changed.wait()
            await asyncio.sleep(PAUSE_S)
            changed.clear()
            await hub.publish(one(everyone, who_is_there(hub)))

    hub.on_arrival(note)
    hub.on_disconnection(note)
    task = asyncio.create_task(tell(), name="demo: who is there")
    try:
        yield
    finally:
        hub.on_arrival.remove(note)
        hub.on_disconnection.remove(note)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
