"""What sockets do is the same on our socket layer and on a plain ASGI server: each test here runs on both."""

import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from api_tests.server import Running, run_server
from app import Connection, Reply, Request, html, wsx
from app.hub.handlers import Handlers
from app.serving.protocol import WsxProtocol
from app.settings import Settings


@pytest.fixture(params=[WsxProtocol, "websockets-sansio"], ids=["direct", "plain ASGI"])
async def server(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    settings = msgspec.structs.replace(settings, socket_rate_per_s=1, socket_burst=30, max_sockets_per_user=2)
    async with run_server(settings, socket_layer=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """Handlers of the test in place of the site's."""
    monkeypatch.setattr(wsx, "handlers", Handlers())
    return wsx.handlers


@pytest.fixture
def notes(server: Running) -> None:
    """Handlers with which a page keeps something, and asks for it."""

    @wsx.on("keep")
    async def keep(request: Request, connection: Connection) -> None:
        connection.session["kept"] = request.data["what"]
        wsx.join(connection, "hall")

    @wsx.on("recall")
    async def recall(_request: Request, connection: Connection) -> Reply:
        return Reply(html("{} {}", json.dumps(connection.session), ",".join(connection.rooms)))

    async def believe(_connection: Connection, _room_ids: object) -> None:
        """As if every room might be entered again: tests of the rooms that are stored have their own."""

    server.hub.returning.check_rooms = believe
