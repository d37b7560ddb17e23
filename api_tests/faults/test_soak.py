"""An hour of an ordinary day: pages come and go, all are told much. Memory and descriptors stay as they are, nothing is missing.

`make soak` runs the hour; `make soak SECONDS=1500` less of it: until the journal is full, memory grows. A few seconds of
it run with the other tests.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from statistics import median
from typing import Any

import pytest

from api_tests.abuse.victim import MIB, Victim, victim
from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.cluster.processes import token_of
from api_tests.faults.crowd import RETRY_S, Page
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S, eventually
from app.kernel.clock import monotonic
from benchmarks.chance import Chance

SECONDS = float(os.environ.get("SOAK_S", "0"))
IS_LONG = SECONDS > 0
SOCKETS, LASTS_S = (2_000, SECONDS) if IS_LONG else (100, 4.0)
CHURN_PER_S, PUBLICATIONS_PER_S = 20, 50
GROUPS = 10
"""Each publication goes to one of them: a tenth of the pages hears it."""
STORED_EVERY = 10
"""Of so many publications one is a notification, which is stored."""
AT_ONCE = 100
WARM_SHARE = 0.25
"""Of the time, in which caches fill: by then the journal keeps what it will ever keep, if it lasts for 20 minutes at least."""
MAX_GROWN = 0.05 if IS_LONG else 0.2
"""By what share of its memory the server may have grown, from behind that time to the end."""
SPARE_DESCRIPTORS = 32
"""Connections that come or go in the moment in which they are counted, and those of the database's pool."""
NUMBER = re.compile(r"~(\d+)~")
LEAKING = """
from app import wsx

kept = []

@wsx.on_disconnection
def keep(connection):
    kept.append((open("/dev/null"), b"x" * 2**20))
"""
"""The product, with a handler that forgets to forget."""


class Reader(Page):
    """Counts what its group is told: each publication of it has the next number."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__([url], RETRY_S, token=token_of(f"user{number}", f"g{number % GROUPS}"))
        self.group = number % GROUPS
        self.last: int | None = None
        self.heard = self.missed = self.twice = self.disordered = 0
        self.is_told_of_a_gap = False

    def _received(self, message: Any, _known: str) -> None:
        self.is_told_of_a_gap |= message.get("type") == "gap"
        for found in NUMBER.findall(message.get("html", "")):
            self._counted(int(found))

    def _counted(self, number: int) -> None:
        """None makes up for another: what is missed stays missed when something comes twice."""
        self.heard += 1
        if self.last is not None:
            self.missed += max(0, number - self.last - 1)
            self.twice += number == self.last
            self.disordered += number < self.last
        self.last = number if self.last is None else max(number, self.last)


class Day:
    """Everybody who takes part, and what was found."""

    def __init__(self, running: Victim, seed: int) -> None:
        self.pages: list[Reader] = []
        self.left: list[Reader] = []
        """Who has gone for good."""
        self.rss: list[int] = []
        self.descriptors: list[int] = []
        self.published = self.refused = 0
        self._running = running
        self._on_the_way: set[int] = set()
        """Places of pages that come or go just now."""
        self._numbers = count()
        self._said = [count() for _ in range(GROUPS)]
        self._turns = [asyncio.Lock() for _ in range(GROUPS)]
        self._chance = Chance(seed)

    async def begin(self) -> None:
        """All come."""
        self.pages = [Reader(self._running.url, next(self._numbers)) for _ in range(SOCKETS)]
        for start in range(0, SOCKETS, AT_ONCE):
            await asyncio.gather(*(page.connect() for page in self.pages[start : start + AT_ONCE]))
        await eventually(self._all_are_greeted, 3 * SOON_S)

    def _all_are_greeted(self) -> bool:
        return all(page.is_connected and page.hellos for page in self.pages)

    async def come_and_go(self) -> None:
        """Half of them come back and have missed something; others leave for good, and somebody else comes."""
        place = self._chance.choice([place for place in range(SOCKETS) if place not in self._on_the_way])
        page = self.pages[place]
        self._on_the_way.add(place)
        page.leave()
        if self._chance.random() < 0.5:
            self.left.append(page)
            page = self.pages[place] = Reader(self._running.url, next(self._numbers))
        else:
            await eventually(lambda: not page.is_connected)
            await asyncio.sleep(self._chance.random())
        await page.connect()
        self._on_the_way.remove(place)

    async def publish(self, api: ApiClient) -> None:
        """To one group; or a notification to one page."""
        self.published += 1
        if self.published % STORED_EVERY == 0:
            name = f"user{self._chance.randrange(SOCKETS)}"
            self.refused += (await api.post("/notifications", {"user_ids": [name], "title": "soak"})).status_code != 201
            return
        group = self._chance.randrange(GROUPS)
        async with self._turns[group]:
            await self._tell(api, group)

    async def _tell(self, api: ApiClient, group: int) -> int:
        """Its next number."""
        number = next(self._said[group])
        await api.broadcast(f"<p>~{number}~</p>", audience={"kind": "roles", "names": [f"g{group}"]}, swap="beforeend")
        return number

    def look(self) -> None:
        """Note what the server holds."""
        self.rss.append(self._running.rss_bytes())
        self.descriptors.append(self._running.descriptors())

    async def last(self) -> None:
        """It runs for its time."""
        async with ApiClient(self._running.url, ADMIN_KEY) as api:
            until = monotonic() + LASTS_S
            await asyncio.gather(
                paced(PUBLICATIONS_PER_S, until, lambda: self.publish(api)),
                paced(CHURN_PER_S, until, self.come_and_go),
                paced(1 if IS_LONG else 10, until, self._look_soon),
            )
            await eventually(self._all_are_greeted, 3 * SOON_S)
            for group in range(GROUPS):
                await self._all_have_heard(api, group)

    async def _look_soon(self) -> None:
        self.look()

    async def _all_have_heard(self, api: ApiClient, group: int) -> None:
        number = await self._tell(api, group)
        await eventually(lambda: all(page.last == number for page in self.pages if page.group == group))

    @property
    def heard(self) -> int:
        return sum(page.heard for page in (*self.pages, *self.left))

    @property
    def wrong(self) -> list[str]:
        """All that must not be."""
        everybody = (*self.pages, *self.left)
        before, after = tenths(self.rss)
        opened, open_at_last = tenths(self.descriptors)
        mistakes = [line for line in self._running.log.splitlines() if "Traceback" in line or '"level":"error"' in line]
        missed, twice, disordered = (
            sum(counts) for counts in zip(*((page.missed, page.twice, page.disordered) for page in everybody), strict=True)
        )
        found = {
            f"{missed} missed": missed > 0,
            f"{twice} heard twice": twice > 0,
            f"{disordered} heard out of order": disordered > 0,
            "a gap": any(page.is_told_of_a_gap for page in everybody),
            f"closed with {sorted({code for page in everybody for code in page.codes})}": any(page.codes for page in everybody),
            f"memory went from {before / MIB:.1f} to {after / MIB:.1f} MiB": after > before * (1 + MAX_GROWN),
            f"descriptors went from {opened:.0f} to {open_at_last:.0f}": open_at_last > opened + SPARE_DESCRIPTORS,
            f"{self.refused} notifications were refused": bool(self.refused),
            "\n".join(["mistakes of ours", *mistakes[:3]]): bool(mistakes),
        }
        return [what for what, is_so in found.items() if is_so]

    def end(self) -> None:
        for page in self.pages:
            page.leave()


def tenths(values: Sequence[int]) -> tuple[float, float]:
    """The medians of the tenth of the values behind the time in which all gets warm, and of the last tenth."""
    size, begin = max(1, len(values) // 10), int(len(values) * WARM_SHARE)
    return median(values[begin : begin + size]), median(values[-size:])


async def paced(per_s: float, until: float, deed: Callable[[], Any]) -> None:
    """So many a second, each in its own time; what fails is raised."""
    began = monotonic()
    async with asyncio.TaskGroup() as under_way:
        for number in count():
            if (due := began + number / per_s) > until:
                return
            await asyncio.sleep(max(0.0, due - monotonic()))
            under_way.create_task(deed())


@asynccontextmanager
async def day(operator: Operator, **settings: str) -> AsyncIterator[Day]:
    async with victim(operator, **settings) as running:
        made = Day(running, seed=1)
        try:
            await made.begin()
            await made.last()
            yield made
        finally:
            made.end()


async def test_memory_and_descriptors_stay_as_they_are(operator: Operator, report: Callable[[str], None], figures: Figures):
    with figures.bars("soak", minutes=LASTS_S / 60) as found:
        async with day(operator) as over:
            wrong, (before, after), (opened, open_at_last) = over.wrong, tenths(over.rss), tenths(over.descriptors)
        report(
            f"soak {LASTS_S:g} s, {SOCKETS} sockets: {before / MIB:.1f} -> {after / MIB:.1f} MiB, at most "
            f"{max(over.rss) / MIB:.1f}; {opened:.0f} -> {open_at_last:.0f} descriptors; {over.published} publications, "
            f"{over.heard} heard, "
            f"{len(over.left)} left for good"
        )
        found.update(
            {
                "MiB behind the first quarter": before / MIB,
                "MiB at the end": after / MIB,
                "descriptors": f"{opened:.0f}, then {open_at_last:.0f}",
                "publications": over.published,
                "heard": over.heard,
                "wrong": len(wrong),
            }
        )
        assert [] == wrong


@pytest.mark.parametrize(
    ("numbers", "found"),
    [((4, 5, 6), (0, 0, 0)), ((0, 1, 1, 3), (1, 1, 0)), ((0, 2, 1, 3), (1, 0, 1)), ((0, 3), (2, 0, 0))],
    ids=["all, from wherever it came", "one twice and one never", "two the wrong way round", "two never"],
)
def test_a_reader_counts_what_it_missed_apart_from_what_came_again(numbers: tuple[int, ...], found: tuple[int, int, int]):
    reader = Reader("http://nowhere:1", 0)
    for number in numbers:
        reader._received({"html": f"<p>~{number}~</p>"}, "")
    assert found == (reader.missed, reader.twice, reader.disordered)


@pytest.mark.long
async def test_a_handler_that_leaks_is_found_out(operator: Operator):
    (operator.folder / "leaking.py").write_text(LEAKING)
    async with day(operator, handlers="leaking") as over:
        assert {"memory", "descriptors"} == {one.split()[0] for one in over.wrong}
