"""Two nodes, their database and Redis, pages on both, and people who talk; and what is found when it is over."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from api_tests.cluster.processes import token_of
from api_tests.faults.burst import ROOM, BackOffice, Burst
from api_tests.faults.checker import Seen, Violation, check, pushed_behind_a_list
from api_tests.faults.crowd import RETRY_S
from api_tests.faults.two_nodes import Node, two_nodes
from api_tests.faults.witness import MARK, Witness
from api_tests.postgresql_server import query
from api_tests.waiting import eventually
from benchmarks.chance import Chance

IS_LONG = os.environ.get("FAULTS") == "long"
"""Whether the figures of the promise are wanted (`make faults`), which take minutes, or a short form of them."""
PAGES, PER_S, SECONDS = (20, 500, 4.0) if IS_LONG else (8, 40, 3.0)
SEEDS = range(1, 11 if IS_LONG else 2)
SETTLES_WITHIN_S = 60.0
"""A deadline that only a broken program misses."""
SOON = """
from app.features import unsent

unsent.AGAIN_AFTER_S, unsent.LOOK_EVERY_S = 1.0, 0.2
"""
"""The short form: what was not pushed is pushed again after a second, not after 5 s."""
STORED = "SELECT content FROM messages UNION ALL SELECT title FROM notifications UNION ALL SELECT message FROM announcements"


class Scene:
    """Who takes part. Half of the pages are in a room."""

    def __init__(self, nodes: list[Node], database_url: str, count: int, seed: int) -> None:
        self.nodes = nodes
        self.seed = seed
        self.chance = Chance(seed)
        self.office = BackOffice([node.url for node in nodes])
        self.pages = [self._page(number, RETRY_S * (number + 1) / count) for number in range(count)]
        self.burst = Burst(self.office, self.pages, self.chance)
        self._database_url = database_url

    def _page(self, number: int, retry_s: float) -> Witness:
        """Every second one is with the other node, every second pair in the room."""
        name = f"user{number}"
        urls = [node.url for node in self.nodes]
        order = urls if number % 2 else urls[::-1]
        room_id = ROOM if number // 2 % 2 else ""
        return Witness(order, name, token_of(name), self.office.stored_for, room_id=room_id, retry_s=retry_s)

    async def begin(self) -> None:
        """All are there."""
        answer = await self.office.nodes[0].post("/rooms", json={"id": ROOM, "name": "Lobby"})
        assert answer.is_success, answer.text
        await asyncio.gather(*(page.connect() for page in self.pages))
        await self.all_ready()

    async def talk_half_through(self) -> asyncio.Task[None]:
        """All talk: return somewhere in the middle of it, with the rest of it."""
        talk = self.burst.start(PER_S, SECONDS)
        enough = self.chance.uniform(0.3, 0.7) * PER_S * SECONDS
        await eventually(lambda: len(self.burst.sent) > enough, SETTLES_WITHIN_S)
        return talk

    async def all_ready(self) -> None:
        await eventually(lambda: all(page.ready.is_set() for page in self.pages), SETTLES_WITHIN_S)

    def half_reads_no_lists(self) -> None:
        """On both nodes, in the room and not: what these pages see was pushed to them."""
        for page in self.pages[: len(self.pages) // 2]:
            page.reads_anew = False

    def on(self, node: Node) -> Sequence[Witness]:
        """The pages that are with this node now."""
        return [page for page in self.pages if page.url == node.url]

    def stored(self) -> set[str]:
        """The marks in the database, past all of our code."""
        rows = query(self._database_url, STORED)
        return {mark for (text,) in rows for mark in MARK.findall(str(text))}

    def found(self) -> list[Violation]:
        """What the checker says."""
        return check(self.burst.sent, self.stored(), [page.history for page in self.pages])

    async def nothing_waits(self) -> None:
        """All that was noted to be pushed was."""
        await eventually(lambda: not query(self._database_url, "SELECT 1 FROM unsent LIMIT 1"), SETTLES_WITHIN_S)

    async def is_over(self) -> list[Violation]:
        """What is wrong, when nothing is to come any more: what is to be pushed again was, and all have heard the last word."""
        await self.burst.settled()
        await self.all_ready()
        await self.nothing_waits()
        last = [await self.burst.say_to_all(node) for node in self.office.nodes]
        await eventually(lambda: all(page.is_quiet and page.seen_at.keys() >= set(last) for page in self.pages), SETTLES_WITHIN_S)
        return self.found()

    def gaps_without_a_room(self) -> list[str]:
        """Pages that were told a gap, and are in no room: of all that these missed the journal knows, whichever node has died."""
        return [page.name for page in self.pages if page.gaps and not page.room_id]

    def caught_up_s(self, pages: Sequence[Witness], since: float) -> list[float]:
        """Of each page, how long after this it was back and had been shown all that was acknowledged by then."""
        return [self._caught_up_at(page) - since for page in pages]

    def _caught_up_at(self, page: Witness) -> float:
        by_then = [
            page.seen_at.get(one.mark, 0.0)
            for one in self.burst.sent
            if one.answered_at is not None and one.answered_at < page.ready_at and page.name in one.hearers
        ]
        return max(page.ready_at, *by_then, 0.0)

    @property
    def acknowledged(self) -> int:
        """How many of what was said."""
        return sum(one.is_acknowledged for one in self.burst.sent)

    @property
    def shown(self) -> int:
        """How often anything was put on a screen."""
        return sum(isinstance(event, Seen) for page in self.pages for event in page.history.events)

    @property
    def figures(self) -> str:
        """What was done, in words."""
        counts = f"{len(self.burst.sent)} said, {self.acknowledged} acknowledged, {self.shown} shown to {len(self.pages)} pages"
        return f"seed {self.seed}: {counts}"

    @property
    def measured(self) -> dict[str, str | float]:
        """The same, as figures, and what pages that read anew were shown behind a list that had it already."""
        counts = {"said": len(self.burst.sent), "acknowledged": self.acknowledged, "shown": self.shown}
        return counts | {"on a list, and pushed": sum(map(pushed_behind_a_list, (page.history for page in self.pages)))}

    async def end(self) -> None:
        await self.burst.stop()
        for page in self.pages:
            page.leave()
        await self.office.close()


@asynccontextmanager
async def scene(folder: Path, database_url: str, *redis_urls: str, pages: int, seed: int, **how: Any) -> AsyncIterator[Scene]:
    """All are there, and nothing was said yet. `how`: what `two_nodes` takes."""
    if not IS_LONG:
        for name in "ab":
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "soon.py").write_text(SOON)
        how["handlers"] = ",".join(filter(None, ("soon", how.get("handlers"))))
    async with two_nodes(folder, database_url, *redis_urls, **how) as nodes:
        scene = Scene(nodes, database_url, pages, seed)
        try:
            await scene.begin()
            yield scene
        finally:
            await scene.end()


def p99(values: Sequence[float]) -> float:
    """Of a hundred values the second largest; of fewer the largest."""
    return quantiles(values, n=100, method="inclusive")[98] if len(values) >= 100 else max(values)
