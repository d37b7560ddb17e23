"""D1: the power is cut while many store. What was acknowledged is on the disk; with a weaker setting of SQLite it is not."""

import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api_tests.cli.command import PROGRAM, Operator, Serving
from api_tests.faults.disks import MIB, Disk, ext4
from api_tests.faults.scene import IS_LONG
from api_tests.faults.storing import Storing, lost, storing
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import eventually
from benchmarks.chance import Chance

CUTS, SEED = 50 if IS_LONG else 3, 1
MOST_CUTS = 10
"""Within so many the weaker setting has lost something: it did so in each of ten tries."""
AT_ONCE = 8
NORMAL = """
import runpy

from app.db import sqlite

prepare = sqlite._prepare

def prepare_weaker(connection, record):
    prepare(connection, record)
    connection.cursor().execute("PRAGMA synchronous=NORMAL")

sqlite._prepare = prepare_weaker
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""
"""The product, whose every connection to SQLite writes to the disk now and then, and not with each commit."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with ext4(tmp_path, 64 * MIB) as made:
        yield made


class Victim:
    """A server whose database is on the disk, and the many who store."""

    def __init__(self, disk: Disk, serving: Serving, office: Storing) -> None:
        self.office = office
        self._disk = disk
        self._serving = serving

    async def lost_by_a_cut(self, after: int) -> list[str]:
        """What is missing of what was acknowledged, were the power cut once so many more are."""
        enough = len(self.office.acknowledged) + after
        await eventually(lambda: len(self.office.acknowledged) >= enough)
        await self._stand_still()
        try:
            acknowledged = list(self.office.acknowledged)
            with self._disk.after_a_power_cut() as afterwards:
                return lost(afterwards / "wsx.db", acknowledged)
        finally:
            self._serving.process.send_signal(signal.SIGCONT)

    async def _stand_still(self) -> None:
        process = self._serving.process
        process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{process.pid}/task")
        await eventually(lambda: {"T"} == {(task / "stat").read_text().rpartition(") ")[2][0] for task in tasks.iterdir()})


@asynccontextmanager
async def victim(operator: Operator, disk: Disk, *program: str) -> AsyncIterator[Victim]:
    how = {"database_url": f"sqlite+aiosqlite:///{disk.folder / 'wsx.db'}", "admin_key": ADMIN_KEY}
    async with operator.serves(program=program, **how) as serving, storing(serving.url, SEED) as office, office.by(AT_ONCE):
        yield Victim(disk, serving, office)


async def test_nothing_that_was_acknowledged_is_lost_by_a_power_cut(
    operator: Operator, disk: Disk, report: Callable[[str], None], figures: Figures
):
    chance = Chance(SEED)
    async with victim(operator, disk, *PROGRAM) as here:
        with figures.bars("D1", seed=SEED, cuts=CUTS) as found:
            missing = [await here.lost_by_a_cut(chance.randint(5, 60)) for _ in range(CUTS)]
            acknowledged = len(here.office.acknowledged)
            report(f"D1 seed {SEED}: {CUTS} cuts, {acknowledged} acknowledged by the last one")
            found.update({"acknowledged by the last": acknowledged, "lost": sum(map(len, missing))})
            assert [[]] * CUTS == missing


@pytest.mark.long
async def test_the_weaker_setting_is_found_out(operator: Operator, disk: Disk, report: Callable[[str], None]):
    chance = Chance(SEED)
    async with victim(operator, disk, sys.executable, "-c", NORMAL) as here:
        missing: list[str] = []
        cuts = 0
        while not missing and cuts < MOST_CUTS:
            missing = await here.lost_by_a_cut(chance.randint(5, 60))
            cuts += 1
        report(f"D1 with synchronous=NORMAL: cut {cuts} lost {len(missing)} of {len(here.office.acknowledged)}")
    assert missing
