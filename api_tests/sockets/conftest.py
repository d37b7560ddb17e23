"""What sockets do is the same on our socket layer and on a plain ASGI server: each test here runs on both."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from api_tests.server import Running, run_server
from app import wsx
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
