"""D3: another process holds the lock of the database. Who would store is refused in time; nobody else notices."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.cluster.processes import token_of
from api_tests.db.beside import others_write
from api_tests.faults.crowd import RETRY_S, Page
from api_tests.faults.gauge import NAME, LoopGauge
from api_tests.faults.scene import IS_LONG, p99
from api_tests.faults.storing import Storing, lost, storing
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import MS, SOON_S, eventually, eventually_told
from app.db import sqlite
from app.kernel.clock import monotonic
from app.settings import Settings
from benchmarks.chance import Chance

LOCKED_S = 30.0 if IS_LONG else sqlite.BUSY_TIMEOUT_MS * MS
"""The short form: so long that one is refused."""
FOUND_OUT_S = 2.0
MAX_LATE_S = (50 if IS_LONG else 200) * MS
"""By how much the loop may be late, p99; the short form may run on a busy machine."""
ANSWERED_WITHIN_S = sqlite.TURN_TIMEOUT_S + sqlite.BUSY_TIMEOUT_MS * MS + (1.0 if IS_LONG else SOON_S)
AT_ONCE = 16
SEED = 1
BLOCKING = """
import sqlite3
from contextlib import closing, suppress

def wait_in_the_loop():
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect("var/wsx.db", timeout=0.3)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
"""
WAYS = {
    "in a transaction of its own": """
from contextlib import asynccontextmanager
from app.db.session import Database

transaction = Database.transaction

@asynccontextmanager
async def blocking(database):
    wait_in_the_loop()
    async with transaction(database) as session:
        yield session

Database.transaction = blocking
""",
    "with others": """
from app.db.session import Database

commit = Database._commit

async def blocking(database, work, **how):
    wait_in_the_loop()
    return await commit(database, work, **how)

Database._commit = blocking
""",
}
"""The product, as if it asked the database in its loop: by the way in which something is stored."""


class Told(NamedTuple):
    """What was found while the database was locked."""

    late_s: float
    """p99."""
    slowest_s: float
    refused: int
    stored_meanwhile: int
    well_s: float
    wrong: list[str]


async def locked(operator: Operator, seconds: float, *handlers: str) -> Told:
    gauge = LoopGauge(operator.folder, 5 * MS)
    how = {"admin_key": ADMIN_KEY, "token_secret": SECRET, "handlers": ",".join((NAME, *handlers))}
    settings = Settings(database_url=f"sqlite+aiosqlite:///{operator.database}")
    async with operator.serves(**how) as serving, storing(serving.url, SEED) as office, ApiClient(serving.url, ADMIN_KEY) as api:
        page = Page([serving.url], RETRY_S, token=token_of("ada"))
        await page.connect()
        await eventually(gauge.looks)
        async with others_write(settings):
            before, stored, began = gauge.looks(), len(office.acknowledged), monotonic()
            async with office.by(AT_ONCE):
                while monotonic() - began < seconds or not (handlers or office.answers[503]):
                    await api.broadcast(f"it is {monotonic()}")
                    assert 200 == (await api.get("/rooms")).status_code
                    await asyncio.sleep(20 * MS)
                waits_s, looks = office.waits_s(), gauge.looks()
            await eventually(lambda: gauge.looks() > looks)  # a pause that has begun is told when it is over
            lates = gauge.lates_s(before)
            meanwhile = len(office.acknowledged) - stored
        back = monotonic()

        async def stores() -> bool:
            return await office.one() == 201

        await eventually_told(stores)
        well_s = monotonic() - back
        assert (1, []) == (len(page.hellos), page.codes)
        page.leave()
        wrong = [f"answered {status}" for status in office.answers if status not in {201, 503}]
        wrong += ["refused without Retry-After"] if False in office.told_when else []
        wrong += ["a mistake of ours"] if "Traceback" in serving.err else []
        wrong += lost(operator.database, office.acknowledged)
    return Told(p99(lates), max(waits_s), office.answers[503], meanwhile, well_s, wrong)


async def test_a_locked_database_is_waited_for_beside_the_loop(operator: Operator, report: Callable[[str], None], figures: Figures):
    with figures.bars("D3") as found:
        told = await locked(operator, LOCKED_S)
        report(
            f"D3 locked for {LOCKED_S:g} s: the loop {told.late_s / MS:.1f} ms late (p99), {told.refused} refused, "
            f"the slowest after {told.slowest_s:.1f} s, well again after {told.well_s:.2f} s"
        )
        found.update(
            {
                "loop late ms, p99": told.late_s / MS,
                "refused": told.refused,
                "slowest answer s": told.slowest_s,
                "well after s": told.well_s,
            }
        )
        assert ([], 0) == (told.wrong, told.stored_meanwhile)
        assert told.late_s < MAX_LATE_S
        assert told.slowest_s < ANSWERED_WITHIN_S


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_waits_in_its_loop_is_found_out(operator: Operator, way: str):
    (operator.folder / "blocking.py").write_text(BLOCKING + WAYS[way])
    told = await locked(operator, FOUND_OUT_S, "blocking")
    assert told.late_s > MAX_LATE_S


def test_a_long_pause_is_not_hidden_by_a_thousand_looks_that_were_in_time(tmp_path: Path):
    gauge = LoopGauge(tmp_path, 5 * MS)
    (tmp_path / "late").write_text("0.0001 False\n" * 1_000 + "2.0 False\n")
    assert p99(gauge.lates_s()) > 1.9
    assert [2.0] == [late_s for late_s in gauge.lates_s(1_000) if late_s > 1.995]


async def test_who_is_never_answered_waits_all_the_same():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        office = Storing(f"http://127.0.0.1:{silent.getsockname()[1]}", Chance(SEED))
        async with office.by(1):
            await eventually(lambda: max(office.waits_s(), default=0.0) > 50 * MS)
        await office.client.aclose()
