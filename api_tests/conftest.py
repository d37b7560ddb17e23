"""Real servers on real ports, in the loop of the test; a fresh database for each, copied from one that was migrated once.

`--database postgresql` runs the tests on PostgreSQL; those of one database alone have their own fixtures, and run on theirs.
"""

import gc
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.db.beside import SHORT_MS
from api_tests.postgresql_server import Postgres, run_postgres
from api_tests.redis_server import RedisServer, run_redis
from api_tests.reliability import Figures, long_forms
from api_tests.server import ADMIN_KEY, SECRET, Running, run_server
from api_tests.waiting import MS
from app.auth import tokens
from app.db import migrate, postgresql, sqlite
from app.db.session import Database
from app.features import gathering, timetable
from app.features.users import recorder
from app.kernel import clock as kernel_clock
from app.kernel import log
from app.settings import Settings

ServerMaker = Callable[..., AbstractAsyncContextManager[Running]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgresql"), default="sqlite", help="where the tests keep what they store")


def pytest_collection_finish() -> None:
    """Each test makes an application, of many objects; looking through all that tests share for garbage is a tenth of the time."""
    gc.set_threshold(50_000, 20, 50)
    gc.collect()
    gc.freeze()


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
def report(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Puts a line with figures among what pytest says."""
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def write(line: str) -> None:
        with capsys.disabled():
            terminal.write_line(f"\n{line}")

    return write


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """Of what is measured; those of the long forms are written into the page."""
    measured = Figures()
    yield measured
    measured.write(long_forms())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The product's time of day, which the test sets forward. The schedule of announcements notices that soon."""
    told = Clock()
    monkeypatch.setattr(kernel_clock, "datetime", told)
    monkeypatch.setattr(tokens, "utc_now", partial(datetime.now, UTC))  # the library that reads tokens asks the machine
    monkeypatch.setattr(timetable, "LONGEST_SLEEP_S", 50 * MS)
    return told


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "wsx.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One cluster for all tests; each has a database of its own in it."""
    with run_postgres() as running:
        yield running


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated: Path) -> str:
    path = tmp_path / "wsx.db"
    shutil.copy(migrated, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    with postgres.migrated() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with all tables, and nothing in them."""
    url: str = request.getfixturevalue(f"{request.config.option.database}_url")
    return url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases that are opened from now on wait for others for a moment only."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", SHORT_MS)
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", SHORT_MS)


def settings_of(database_url: str) -> Settings:
    """What a server of tests has, unless they say otherwise."""
    return Settings(
        port=0,
        database_url=database_url,
        admin_key=ADMIN_KEY,
        token_secret=SECRET,
        api_rate_per_min=1_000_000,  # tests ask as fast as they can; the limit has its own
        drain_s=1,
        log_format="json",
    )


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of(database_url)


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of this test alone."""
    async with run_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url)
    yield database
    await database.close()


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(settings) as running:
        yield running


@pytest.fixture
async def api(server: Running) -> AsyncIterator[ApiClient]:
    async with ApiClient(server.url, ADMIN_KEY) as client:
        yield client


@pytest.fixture
def hasty_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users are written down at once, and tried again soon."""
    monkeypatch.setattr(recorder, "PAUSE_S", 10 * MS)
    monkeypatch.setattr(gathering, "RETRY_S", 10 * MS)
