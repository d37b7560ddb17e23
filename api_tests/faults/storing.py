"""A back office that stores one thing after the other, some at the same time; what it was answered, and what is stored."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from api_tests.faults.burst import GONE, ROOM
from api_tests.faults.scene import STORED
from api_tests.faults.witness import MARK, marked
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS
from app.kernel.clock import monotonic
from benchmarks.chance import Chance

LONGEST_S = 60.0
"""Deadline of an answer, which only a broken program misses: some of these tests hold the server still."""
ALL_STORED = (STORED, "SELECT name FROM rooms")


class Storing:
    """Everything has a mark of its own."""

    def __init__(self, url: str, chance: Chance) -> None:
        self.acknowledged: list[str] = []
        self.answers = Counter[int]()
        self.told_when: set[bool] = set()
        """Whether those who were refused for now were told when to come again."""
        self._waited_s: list[float] = []
        self._asked_at: dict[int, float] = {}
        """By number, of calls that are under way."""
        self.client = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=LONGEST_S, trust_env=False
        )
        self._chance = chance
        self._numbers = count(1)

    async def one(self) -> int:
        """Store one thing, of a kind that is left to chance; the status, 0 for no answer."""
        number = next(self._numbers)
        mark = f"m{number}"
        path, body = self._chance.choice(
            (
                ("/rooms", {"id": f"room{number}", "name": marked(mark)}),
                (f"/rooms/{ROOM}/messages", {"message": marked(mark)}),
                ("/notifications", {"user_ids": ["ada"], "title": marked(mark)}),
            )
        )
        status = await self._post(path, body, number)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            self.acknowledged.append(mark)
        return status

    async def _post(self, path: str, body: Any, number: int) -> int:
        self._asked_at[number] = monotonic()
        try:
            answer = await self.client.post(path, json=body)
        except GONE:
            return 0
        finally:
            self._waited_s.append(monotonic() - self._asked_at.pop(number))
        self.answers[answer.status_code] += 1
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.told_when.add("retry-after" in answer.headers)
        return answer.status_code

    def waits_s(self) -> list[float]:
        """How long each call waited for its answer, in vain or not, and for how long those that are under way wait by now."""
        now = monotonic()
        return [*self._waited_s, *(now - asked_at for asked_at in self._asked_at.values())]

    async def begin(self) -> None:
        """Make the room in which is spoken."""
        assert HTTPStatus.CREATED == await self._post("/rooms", {"id": ROOM, "name": "Lobby"}, 0)

    async def on_and_on(self) -> None:
        """Until cancelled; who is refused waits for a moment."""
        while True:
            if await self.one() != HTTPStatus.CREATED:
                await asyncio.sleep(20 * MS)

    @asynccontextmanager
    async def by(self, how_many: int) -> AsyncIterator[None]:
        """So many store at the same time, for as long as the block."""
        people = [asyncio.create_task(self.on_and_on()) for _ in range(how_many)]
        try:
            yield
        finally:
            for one in people:
                one.cancel()
            await asyncio.gather(*people, return_exceptions=True)


@asynccontextmanager
async def storing(url: str, seed: int) -> AsyncIterator[Storing]:
    """The room is there."""
    office = Storing(url, Chance(seed))
    try:
        await office.begin()
        yield office
    finally:
        await office.client.aclose()


def lost(database: Path, acknowledged: list[str]) -> list[str]:
    """What was acknowledged and is not in this SQLite file; and what SQLite itself finds wrong with it."""
    with closing(sqlite3.connect(database)) as connection:
        wrong = [str(line) for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
        texts = [text for query in ALL_STORED for (text,) in connection.execute(query)]
        there = {mark for text in texts for mark in MARK.findall(str(text))}
    return wrong + [mark for mark in acknowledged if mark not in there]
