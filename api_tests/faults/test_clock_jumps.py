"""R10: the clock of the machine jumps an hour, on and back. Nobody is closed for it, nothing is missing, all keeps its order."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from api_tests.cli.command import PROGRAM
from api_tests.faults.burst import ROOM
from api_tests.faults.scene import IS_LONG, PAGES, PER_S, Scene, scene
from api_tests.missing import missing
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures

SEED = 1
SECONDS = 5.0 if IS_LONG else 0.5
HOUR_S = 3_600
JUMPS = (0, HOUR_S, 0)
"""How far the clock is ahead of the true time, one after the other. It is never behind: by such a clock the tokens of
pages, which are made by the true time, are of the future, and refused."""
EACH = 3
"""Messages that are written one after the other, by each node, in each of these times."""
WRITTEN = re.compile(r"\bj\d+n\d+x\d+\b")
BY_THE_WALL = """
import runpy, time

time.monotonic = time.time
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""
"""The product, as if it measured spans of time by the time of day."""


class Clock:
    """The time of day of two nodes, which the test sets. Spans of time go on as they are."""

    def __init__(self, folder: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if not libraries:
            missing("libfaketime is missing (on Debian: apt install faketime)")
        self._file = folder / "ahead"
        self.set(0)
        self._environment = {
            "LD_PRELOAD": libraries[0],
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead_s: int) -> None:
        """From now on it is so many seconds ahead."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}")
        new.rename(self._file)

    def program(self, *command: str) -> tuple[str, ...]:
        """The command, with this clock."""
        return ("env", *(f"{name}={value}" for name, value in self._environment.items()), *command)


async def said_in_order(here: Scene, name: str) -> list[tuple[str, list[str]]]:
    """What was written into the room, by each node for itself: the node, and the texts in their order."""
    said = []
    for place, node in enumerate(here.office.nodes):
        marks = [f"{name}n{place}x{number}" for number in range(EACH)]
        for mark in marks:
            assert (await node.post(f"/rooms/{ROOM}/messages", json={"message": mark})).is_success
        said.append((f"n{place}", marks))
    return said


async def jumped(
    folder: Path, database_url: str, redis: RedisServer, jumps: Sequence[int], *command: str
) -> tuple[list[object], Scene]:
    """All that is wrong after all of the jumps."""
    clock = Clock(folder)
    how = {"program": clock.program(*command), "idle_sweep_s": "0.2"}
    said: dict[str, list[str]] = {}
    async with scene(folder, database_url, redis.url, pages=PAGES, seed=SEED, **how) as here:
        for number, ahead_s in enumerate(jumps):
            away: Sequence[int] = (2 * number % PAGES, (2 * number + 1) % PAGES)
            for page in away:
                here.pages[page].leave()
            clock.set(ahead_s)
            await here.burst.run(PER_S, SECONDS)
            for node, marks in await said_in_order(here, f"j{number}"):
                said.setdefault(node, []).extend(marks)
            for page in away:
                await here.pages[page].connect()
            await here.all_ready()
        wrong: list[object] = list(await here.is_over())
        listed = [mark for item in await history(here) for mark in WRITTEN.findall(str(item))]
        wrong += [f"{node} is out of order" for node, marks in said.items() if [m for m in listed if m in marks] != marks]
        wrong += [f"{page.name} was closed with {page.codes}" for page in here.pages if page.codes]
        wrong += [f"{page.name} was told a gap" for page in here.pages if page.gaps]
        return wrong, here


async def history(here: Scene) -> list[object]:
    """All messages of the room, oldest first."""
    found, more = [], f"/rooms/{ROOM}/messages?limit=200"
    while more:
        answer = await here.office.read(more)
        found += answer["items"]
        more = answer["next_cursor"] and f"/rooms/{ROOM}/messages?limit=200&cursor={answer['next_cursor']}"
    return found[::-1]


async def test_the_clock_jumps_an_hour(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, report: Callable[[str], None], figures: Figures
):
    with figures.bars("R10", seed=SEED, jumps=len(JUMPS) - 1) as found:
        wrong, here = await jumped(tmp_path, postgresql_url, redis, JUMPS, *PROGRAM)
        report(f"R10 {here.figures}; the clock jumped {len(JUMPS) - 1} times")
        found.update(here.measured | {"wrong": len(wrong)})
        assert [] == wrong


@pytest.mark.long
async def test_a_server_that_measures_by_the_time_of_day_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    wrong, _ = await jumped(tmp_path, postgresql_url, redis, JUMPS[:2], sys.executable, "-c", BY_THE_WALL)
    assert any("closed" in str(one) for one in wrong)
