"""What lives on the demo page: who is connected, and waving to everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.features.feature import Services
from app.features.fragments import fragments
from app.hub.audience import everyone
from app.hub.connection import Connection
from app.hub.handlers import Handlers, Reply, Request
from app.hub.hub import Hub
from app.hub.publication import one
from app.wire.update import Fragment, Update

PAUSE_S = 0.15
"""Seconds in which comings and goings are gathered into one update."""
MAX_SHOWN = 50
"""Names on the page; the number counts all."""


def who_is_there(hub: Hub) -> Update:
    """The list of users and the number of connections."""
    names: dict[str, tuple[str, int]] = {}
    for connection in hub.registry:
        if connection.user is not None:
            name, tabs = names.get(connection.user.id, (connection.user.name, 0))
            names[connection.user.id] = name, tabs + 1
    shown = sorted(names.values())[:MAX_SHOWN]
    anonymous = len(hub.registry) - sum(tabs for _, tabs in names.values())
    listing = fragments.render("demo/who.html", users=shown, anonymous=anonymous)
    return Update("#who", listing, oob=(Fragment("#who-count", str(len(hub.registry)), "textContent"),))


def register(handlers: Handlers, services: Services) -> None:
    """The handlers of the demo page."""

    @handlers.on("demo-wave")
    async def wave(request: Request, connection: Connection) -> Reply:
        name = connection.user.name if connection.user is not None else "Somebody"
        text = str(request.data.get("message") or "waves")[:200]
        fragment = fragments.render("demo/wave.html", name=name, text=text)
        await services.hub.publish(one(everyone, Update("#waves", fragment, "afterbegin")))
        return Reply("", target="#wave-message", swap="none")


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Tell every page who is there, whenever that changes."""
    hub = services.hub
    changed = asyncio.Event()

    def note(_connection: Connection) -> None:
        changed.set()

    async def tell() -> None:
        while True:
            await changed.wait()
            await asyncio.sleep(PAUSE_S)
            changed.clear()
            await hub.publish(one(everyone, who_is_there(hub)))

    hub.on_connection(note)
    hub.on_disconnection(note)
    task = asyncio.create_task(tell(), name="demo: who is there")
    try:
        yield
    finally:
        hub.on_connection.remove(note)
        hub.on_disconnection.remove(note)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
