"""Pages of the docs, their examples by heading, a server whose site code is one of them, and one without site code."""

import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest

from api_tests.client import SocketClient
from api_tests.guide.pages import ROOT
from api_tests.server import Running, run_server
from app import wsx
from app.hub.events import Events
from app.hub.handlers import Handlers
from app.settings import Settings

PAGE = ROOT / "docs" / "broadcasting.md"
EXAMPLE = re.compile(r"^#+ ([^\n]+)\n(?:(?!^##).)*?^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEXTS = [PAGE.read_text(), *((ROOT / page).read_text() for page in ("README.md", "docs/handlers.md", "docs/security.md"))]
EXAMPLES = {title: example for text in TEXTS for title, example in EXAMPLE.findall(text)}

Site = Callable[[str], AbstractAsyncContextManager[tuple[Running, types.ModuleType]]]


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Site:
    """`async with site("Chat system") as (server, module)`: the example of this heading is imported, as WSX_HANDLERS would."""
    monkeypatch.setattr(wsx, "handlers", Handlers())
    monkeypatch.setattr(wsx, "events", Events())
    monkeypatch.setattr(wsx, "_hooks", [])
    monkeypatch.setattr(wsx, "_queues", [])

    @asynccontextmanager
    async def serving(title: str) -> AsyncIterator[tuple[Running, types.ModuleType]]:
        module = types.ModuleType("example")
        exec(compile(EXAMPLES[title], f"{PAGE.name}: {title}", "exec"), module.__dict__)  # noqa: S102 - the documentation's own code
        async with run_server(msgspec.structs.replace(settings, presence_grace_s=0.05)) as server:
            yield server, module

    return serving


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    quick = msgspec.structs.replace(
        settings,
        presence_grace_s=0.3,
        dashboard_interval_s=0.1,
        idle_timeout_s=0,
        max_message_bytes=262_144,
        socket_rate_per_s=1_000,
        socket_burst=1_000,
    )
    async with run_server(quick) as running:
        yield running


@pytest.fixture
def quiet(server: Running) -> Callable[..., Awaitable[None]]:
    """Whatever was sent before has not reached these pages: the next thing that they hear is what is said now."""

    async def check(*pages: SocketClient) -> None:
        await wsx.broadcast("#end", "the end")
        for page in pages:
            await page.hears_nothing_but("the end")

    return check
