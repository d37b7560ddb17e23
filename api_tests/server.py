"""Starts the product as `wsx serve` does, in the loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import uvicorn

from api_tests.client import SocketClient
from api_tests.events import EventClient
from api_tests.waiting import eventually
from app.hub.face import wsx
from app.hub.hub import Hub
from app.main import create_app, make_tokens
from app.serving.protocol import WsxProtocol
from app.serving.run import listen, make_server
from app.settings import Settings

ADMIN_KEY = "an admin key that is long enough for the tests"
SECRET = "a token secret that is long enough for the tests"


class Running(NamedTuple):
    """A server that answers."""

    settings: Settings
    port: int
    uvicorn: uvicorn.Server
    hub: Hub

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, user_id: str, *, name: str = "", roles: tuple[str, ...] = (), ttl_s: float = 3600) -> str:
        return make_tokens(self.settings).issue(user_id, name=name, roles=roles, ttl=timedelta(seconds=ttl_s))

    def socket(self, user_id: str | None = None, **how: Any) -> SocketClient:
        """A client, not yet connected: `async with server.socket("ada") as ada`."""
        roles = how.pop("roles", ())
        name = how.pop("name", "")
        token = None if user_id is None else self.token(user_id, name=name, roles=roles)
        return SocketClient(f"ws://127.0.0.1:{self.port}", token=token, **how)

    def events(self, user_id: str | None = None, *, query: str = "", headers: dict[str, str] | None = None) -> EventClient:
        """A stream of events, as a page of this server asks for it."""
        cookie = {} if user_id is None else {"Cookie": f"wsx_token={self.token(user_id)}"}
        return EventClient(f"{self.url}/sse{query}", {"Sec-Fetch-Site": "same-origin", **cookie, **(headers or {})})

    def silent_for(self, seconds: float) -> None:
        """As if no page had said anything for so long, before now."""
        for connection in self.hub.registry:
            connection._active_at -= seconds

    async def connected(self, count: int) -> None:
        """Wait until just so many connections are open."""
        await eventually(lambda: len(self.hub.registry) == count)


@asynccontextmanager
async def run_server(settings: Settings, *, demo: bool = False, socket_layer: Any = WsxProtocol) -> AsyncIterator[Running]:
    app = create_app(settings, demo=demo)
    listener = listen(settings)
    server = make_server(app, settings, socket_layer=socket_layer)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started or task.done())
    try:
        yield Running(settings, listener.getsockname()[1], server, wsx.hub)
    finally:
        server.should_exit = True
        await task
