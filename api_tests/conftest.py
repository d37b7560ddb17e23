"""Real servers on real ports, in the loop of the test; a fresh database for each, copied from one that was migrated once."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.redis_server import RedisServer, run_redis
from api_tests.server import ADMIN_KEY, SECRET, Running, run_server
from api_tests.waiting import MS
from app.auth import tokens
from app.db import migrate
from app.features.announcements import board
from app.kernel import clock as kernel_clock
from app.kernel import log
from app.settings import Settings

ServerMaker = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """As in production, to the stderr of each test."""
    log.configure("json")


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was logged since the last call, also what would leave with the end of this turn of the loop."""

    def read() -> str:
        log.LINES.flush()
        return capsys.readouterr().err

    return read


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The product's time of day, which the test sets forward. The schedule of announcements notices that soon."""
    told = Clock()
    monkeypatch.setattr(kernel_clock, "datetime", told)
    monkeypatch.setattr(tokens, "utc_now", partial(datetime.now, UTC))  # the library that reads tokens asks the machine
    monkeypatch.setattr(board, "LONGEST_SLEEP_S", 50 * MS)
    return told


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "wsx.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    path = tmp_path / "wsx.db"
    shutil.copy(migrated, path)
    return Settings(
        port=0,
        database_url=f"sqlite+aiosqlite:///{path}",
        admin_key=ADMIN_KEY,
        token_secret=SECRET,
        drain_s=1,
        log_format="json",
    )


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of this test alone."""
    async with run_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(settings) as running:
        yield running


@pytest.fixture
async def api(server: Running) -> AsyncIterator[ApiClient]:
    async with ApiClient(server.url, ADMIN_KEY) as client:
        yield client
