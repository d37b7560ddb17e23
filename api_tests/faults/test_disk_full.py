"""D2: the disk is full. Nothing is said to be stored that is not, sockets live on, and soon after there is room all is well."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api_tests.cli.command import Operator, Serving
from api_tests.client import ApiClient
from api_tests.cluster.processes import token_of
from api_tests.faults.crowd import RETRY_S, Page
from api_tests.faults.disks import MIB, memory
from api_tests.faults.scene import IS_LONG
from api_tests.faults.storing import Storing, lost, storing
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import SOON_S, eventually, eventually_told
from app.kernel.clock import monotonic

SEEDS = range(1, 11 if IS_LONG else 2)
FULL_S = 5.0 if IS_LONG else 0.5
WELL_WITHIN_S = 5.0 if IS_LONG else SOON_S
AT_ONCE = 8
PAGES = 20
REFUSED = {503, 507}
MOST_ANSWERS = 500
"""Before so many, some were refused: so many would not fit into what SQLite has for its journal."""
CARELESS = {
    "in a transaction of its own": """
from contextlib import asynccontextmanager
from app.db.session import Database
from app.kernel.errors import Unavailable

transaction = Database.transaction

@asynccontextmanager
async def careless(database):
    try:
        async with transaction(database) as session:
            yield session
    except Unavailable:
        pass

Database.transaction = careless
""",
    "with others": """
from contextlib import suppress
from sqlalchemy.exc import OperationalError
from app.db.sqlite import Sqlite

carry_out = Sqlite._carry_out

def careless(database, engine, work, commit):
    done = []
    with suppress(OperationalError):
        carry_out(database, engine, lambda connection: done.append(work(connection)), commit)
    return done[0]

Sqlite._carry_out = careless
""",
}
"""The product, to which a commit that failed is none of its business: by the way in which something is stored."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with memory(tmp_path / "disk", 20 * MIB) as made:
        yield made


class Story:
    """What happens while the disk is full, and afterwards."""

    def __init__(self, disk: Path, serving: Serving, office: Storing) -> None:
        self.office = office
        self.pages = [Page([serving.url], RETRY_S, token=token_of(f"user{number}")) for number in range(PAGES)]
        self.well_s = 0.0
        self._disk = disk
        self._serving = serving

    async def tell(self) -> None:
        filler = self._disk / "filler"
        await asyncio.gather(*(page.connect() for page in self.pages))
        await eventually(lambda: all(page.hellos for page in self.pages))
        async with self.office.by(AT_ONCE), ApiClient(self._serving.url, ADMIN_KEY) as api:
            await eventually(lambda: len(self.office.acknowledged) > AT_ONCE)
            enough = self.office.answers.total() + MOST_ANSWERS
            await eventually(lambda: fill(filler) or self.refused > AT_ONCE or self.office.answers.total() > enough)
            await self._all_hear(api, "it is full")
            await asyncio.sleep(FULL_S)
            await self._all_hear(api, "it is still full")
            filler.unlink()
            began = monotonic()
            await eventually_told(self._stores)
            self.well_s = monotonic() - began
        for page in self.pages:
            assert (1, []) == (len(page.hellos), page.codes), "it lost its connection"
            page.leave()

    async def _all_hear(self, api: ApiClient, text: str) -> None:
        await api.broadcast(text)
        await eventually(lambda: all(any(text in str(told) for told in page.messages) for page in self.pages))

    async def _stores(self) -> bool:
        return await self.office.one() == 201

    @property
    def refused(self) -> int:
        return sum(self.office.answers[status] for status in REFUSED)

    @property
    def wrong(self) -> list[str]:
        """All that must not be."""
        others = [f"answered {status}" for status in self.office.answers if status not in {201, *REFUSED}]
        silent = ["refused without Retry-After"] if False in self.office.told_when else []
        return [*others, *silent, *lost(self._disk / "wsx.db", self.office.acknowledged)]


def fill(filler: Path) -> None:
    """Take what room there is, to the last byte."""
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(b"x" * MIB):
            pass


async def told(operator: Operator, disk: Path, seed: int, **settings: str) -> Story:
    """The story, from its end."""
    how = {"database_url": f"sqlite+aiosqlite:///{disk / 'wsx.db'}", "admin_key": ADMIN_KEY, "token_secret": SECRET}
    async with operator.serves(**how, **settings) as serving, storing(serving.url, seed) as office:
        story = Story(disk, serving, office)
        await story.tell()
        assert "Traceback" not in serving.err
    return story


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_full_disk_costs_nothing_but_what_is_refused(
    operator: Operator, disk: Path, seed: int, report: Callable[[str], None], figures: Figures
):
    with figures.bars("D2", seed=seed) as found:
        story = await told(operator, disk, seed)
        stored, wrong = len(story.office.acknowledged), story.wrong
        report(f"D2 seed {seed}: {stored} stored, {story.refused} refused, well again after {story.well_s:.2f} s")
        found.update({"acknowledged": stored, "refused": story.refused, "wrong": len(wrong), "well after s": story.well_s})
        assert [] == wrong
        assert story.refused > AT_ONCE
        assert story.well_s < WELL_WITHIN_S


@pytest.mark.parametrize("way", CARELESS)
async def test_a_server_that_does_not_look_at_its_commits_is_found_out(operator: Operator, disk: Path, way: str):
    (operator.folder / "careless.py").write_text(CARELESS[way])
    story = await told(operator, disk, 1, handlers="careless")
    assert story.wrong
