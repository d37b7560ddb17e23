"""What lives on the demo page by itself: its two rooms, the list of who is connected, and the map of where they are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple
from zlib import crc32

from app.features.dashboard import Screens
from app.features.demo.island import MEASURES, on_map
from app.features.fragments import fragments
from app.features.rooms import create_room
from app.features.services import Services
from app.hub.audience import everyone
from app.hub.connection import Connection
from app.hub.events import SentMessage
from app.hub.geometry import Place
from app.hub.hub import Hub
from app.hub.publication import one
from app.kernel.errors import Conflict
from app.kernel.identity import User
from app.wire.update import Fragment, Update

ROOMS: Final = {"lobby": "Lobby", "kitchen": "Kitchen"}
"""The rooms of the page. They are there from the start, so that the back office can speak in them before anybody came in."""
PAUSE_S = 0.15
"""Seconds in which comings, goings and walks are gathered into one update."""
MAX_SHOWN = 50
"""Users on the page; the number counts all connections."""
HUES: Final = 6
"""Colours of faces that the style sheet knows."""


ELBOW_ROOM: Final = 24
"""Units of the map between two who stand at the same spot."""


class Visitor(NamedTuple):
    """A user who is connected."""

    user: User
    tabs: int
    place: Place | None

    @property
    def hue(self) -> int:
        """Which of the colours is theirs: the same on every page, also tomorrow."""
        return crc32(self.user.id.encode()) % HUES


class Walker(NamedTuple):
    """A visitor on the map, in its units."""

    visitor: Visitor
    x: float
    y: float


def visitors(hub: Hub) -> Sequence[Visitor]:
    """Who is signed in and connected, by name. The demo shows where they are to everybody: it is what its map is for."""
    there: dict[str, Visitor] = {}
    for connection in hub.registry:
        if (user := connection.user) is not None:
            known = there.get(user.id)
            place = connection.place or (known.place if known else None)
            there[user.id] = Visitor(user, known.tabs + 1 if known else 1, place)
    return sorted(there.values(), key=lambda visitor: (visitor.user.name.casefold(), visitor.user.id))


def on_island(there: Sequence[Visitor]) -> Sequence[Walker]:
    """Those who are on the map; who stand at the same spot stand beside each other."""
    crowds: Counter[tuple[float, float]] = Counter()
    walkers = []
    for visitor in there:
        spot = on_map(visitor.place)
        if spot is not None:
            walkers.append(Walker(visitor, spot[0] + crowds[spot] * ELBOW_ROOM, spot[1]))
            crowds[spot] += 1
    return walkers


def who_is_there(hub: Hub) -> Update:
    """The list of users, the number of connections, the map, and the ids that are proposed where one is asked for."""
    there = visitors(hub)
    shown = there[:MAX_SHOWN]
    anonymous = len(hub.registry) - sum(visitor.tabs for visitor in there)
    return Update(
        "#who",
        fragments.render("demo/who.html", visitors=shown, more=len(there) - len(shown), anonymous=anonymous),
        oob=(
            Fragment("#who-count", str(len(hub.registry)), "textContent"),
            Fragment("#people-ids", fragments.render("demo/people-ids.html", visitors=shown)),
            Fragment("#map-people", fragments.render("demo/map-people.html", walkers=on_island(shown), here=MEASURES)),
        ),
    )


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Tell every page who is there and where, whenever that changes."""
    hub = services.hub
    changed = asyncio.Event()
    for room_id, name in ROOMS.items():
        with suppress(Conflict):
            await create_room(services, room_id, name, is_private=False)

    screens = services.of(Screens)

    def note(_connection: Connection) -> None:
        changed.set()

    def note_message(_message: SentMessage) -> None:
        screens.changed()

    async def tell() -> None:
        while True:
            await changed.wait()
            await asyncio.sleep(PAUSE_S)
            changed.clear()
            await hub.publish(one(everyone, who_is_there(hub)))
            screens.changed()

    hooks = hub.on_arrival, hub.on_disconnection, hub.on_located
    for hook in hooks:
        hook(note)
    hub.events.on("message.sent", note_message)
    task = asyncio.create_task(tell(), name="demo: who is there")
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove(note)
        hub.events.off("message.sent", note_message)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
