"""R6: sixteen write into one room by two nodes, and their commits are held up by chance. From every place nothing is skipped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api_tests.cluster.processes import token_of
from api_tests.faults.burst import ROOM, BackOffice
from api_tests.faults.crowd import RETRY_S
from api_tests.faults.crowd import Page as AnyPage
from api_tests.faults.scene import IS_LONG
from api_tests.faults.two_nodes import Node, two_nodes
from api_tests.faults.witness import MARK, marked
from api_tests.postgresql_server import plain
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import MS, eventually, eventually_told
from app.kernel.clock import monotonic

PUBLISHERS = 16
MESSAGES = 40 if IS_LONG else 6
"""Of each."""
READERS = 4
LONG_S = 60.0
HOLD_UP = """
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(random() * 0.05); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold_up();
"""
"""Between the id of a message and its commit there are up to 50 ms."""
NEWER = "SELECT id, content FROM messages WHERE id > $1 ORDER BY id"
WITHOUT_THE_OLDEST = """
from app.hub.catch_up import CatchUp

collect = CatchUp._collect

def collect_less(catch_up, entries, position):
    return max([collect(catch_up, entries[1:], position), *(entry.cursor for entry in entries[:1])])

CatchUp._collect = collect_less
"""
"""The product, whose pages that come back are not shown the first of what they missed."""


class Page(AnyPage):
    """A page in the room, and what it was shown there: cursor and mark."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__([url], RETRY_S, token=token_of(name))
        self.shown: list[tuple[str, str]] = []
        self.gaps = 0
        self.rests = False

    def _received(self, message: Any, known: str) -> None:
        self.gaps += message.get("type") == "gap"
        updates = message.get("updates", [message])
        self.shown += [
            (message["cursor"], mark)
            for update in updates
            if update.get("target") == "#chat-messages" and "cursor" in message
            for mark in MARK.findall(update["html"])
        ]
        super()._received(message, known)

    async def come(self) -> None:
        """Into the room."""
        await self.connect()
        await eventually(lambda: self.hellos)
        self.say({"id": "join", "handler": "join-room", "target": "#chat", "trigger": "click", "data": {"roomId": ROOM}})
        await eventually(lambda: any("Joined" in str(told) for told in self.messages))

    async def come_back(self, cursor: str) -> None:
        """From this place on."""
        self.leave()
        await eventually(lambda: not self.is_connected)
        self.cursor = cursor
        greeted = len(self.hellos)
        await self.connect()
        await eventually(lambda: len(self.hellos) > greeted)

    async def come_back_all_the_time(self) -> None:
        """Until it rests: it leaves with what it has just been shown."""
        while not self.rests:
            shown = len(self.shown)
            await eventually(lambda shown=shown: self.rests or len(self.shown) > shown, LONG_S)
            await self.come_back(self.cursor)


class BareReader:
    """Reads the table, and goes on from the newest id that it has seen: the way that does not work."""

    def __init__(self, url: str) -> None:
        self.seen: set[str] = set()
        self._url = url

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._read())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read(self) -> None:
        connection = await asyncpg.connect(plain(self._url))
        newest = "00000000-0000-0000-0000-000000000000"
        try:
            while True:
                rows = await connection.fetch(NEWER, newest)
                self.seen |= {mark for row in rows for mark in MARK.findall(row["content"])}
                newest = rows[-1]["id"] if rows else newest
                await asyncio.sleep(2 * MS)
        finally:
            connection.terminate()


async def say(node: httpx.AsyncClient, marks: Sequence[str]) -> None:
    for mark in marks:
        answer = await node.post(f"/rooms/{ROOM}/messages", json={"message": marked(mark)})
        assert answer.is_success, answer.text


class Talk:
    """All that was said, and who was there."""

    def __init__(self, nodes: Sequence[Node], office: BackOffice) -> None:
        self.marks = [[f"p{publisher}m{number}" for number in range(MESSAGES)] for publisher in range(PUBLISHERS)]
        self.steady = [Page(node.url, f"steady{place}") for place, node in enumerate(nodes)]
        self.readers = [Page(nodes[place % 2].url, f"reader{place}") for place in range(READERS)]
        self._office = office

    async def run(self) -> None:
        """Return when the steady ones have seen all."""
        assert (await self._office.nodes[0].post("/rooms", json={"id": ROOM, "name": "Lobby"})).is_success
        await asyncio.gather(*(page.come() for page in (*self.steady, *self.readers)))
        restless = [asyncio.create_task(page.come_back_all_the_time()) for page in self.readers]
        await asyncio.gather(*(say(self._office.nodes[place % 2], marks) for place, marks in enumerate(self.marks)))
        count = PUBLISHERS * MESSAGES
        await eventually(lambda: all(len(page.shown) >= count for page in self.steady), LONG_S)
        for page in self.readers:
            page.rests = True
        await asyncio.gather(*restless)

    async def skipped(self) -> list[str]:
        """What is wrong with what anybody was shown."""
        order, others = (page.shown for page in self.steady)
        said = {mark for marks in self.marks for mark in marks}
        wrong = [f"{mark} was never shown" for mark in said - {mark for _, mark in order}]
        wrong += [] if order == others else ["the nodes differ"]
        for reader in self.readers:
            reader.leave()
            await eventually(lambda reader=reader: not reader.is_connected)
            await reader.come_back(reader.cursor)
            await self._has_caught_up(reader)
            wrong += [] if reader.shown == order else [f"one who came back {len(reader.hellos)} times was shown otherwise"]
        return wrong

    async def skipped_from_every_place(self) -> list[str]:
        """One page comes back to each place, one after the other."""
        page, order = self.readers[0], self.steady[0].shown
        wrong = []
        for place, (cursor, _) in enumerate(order):
            page.shown = []
            await page.come_back(cursor)
            await self._has_caught_up(page)
            if page.shown != order[place + 1 :] or page.gaps:
                wrong.append(f"from place {place}")
        return wrong

    async def _has_caught_up(self, page: Page) -> None:
        """Return when it has heard what is said to all now: all that was said before is shown by then."""
        mark = f"behind{monotonic()}"
        body = {"audience": {"kind": "everyone"}, "target": "#a", "html": mark}

        async def hears() -> bool:
            assert (await self._office.nodes[0].post("/broadcasts", json=body)).is_success
            await asyncio.sleep(5 * MS)
            return any(mark in str(told) for told in page.messages)

        await eventually_told(hears)  # more than once: the broken server skips some of these, too


async def talked(folder: Path, database_url: str, redis: RedisServer, **settings: str) -> tuple[list[str], Talk, int]:
    """What was skipped, by whom, and by how many the bare reader is behind."""
    connection = await asyncpg.connect(plain(database_url))
    await connection.execute(HOLD_UP)
    await connection.close()
    async with two_nodes(folder, database_url, redis.url, **settings) as nodes:
        office, bare = BackOffice([node.url for node in nodes]), BareReader(database_url)
        talk = Talk(nodes, office)
        try:
            async with bare.reading():
                await talk.run()
                skipped = await talk.skipped()
            skipped += await talk.skipped_from_every_place()
        finally:
            for page in (*talk.steady, *talk.readers):
                page.leave()
            await office.close()
    return skipped, talk, PUBLISHERS * MESSAGES - len(bare.seen)


async def test_nobody_skips_what_was_committed_late(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, report: Callable[[str], None], figures: Figures
):
    with figures.bars("R6") as found:
        skipped, talk, behind = await talked(tmp_path, postgresql_url, redis)
        places = len(talk.steady[0].shown)
        returns = sum(len(page.hellos) - 1 for page in talk.readers)
        report(f"R6 {places} messages of {PUBLISHERS}; came back {returns} times, once to each place; bare ids skip {behind}")
        found.update({"messages": places, "came back": returns, "skipped": len(skipped), "skipped by who reads bare ids": behind})
        assert [] == skipped
        assert behind > 0


@pytest.mark.long
async def test_a_server_that_skips_one_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.py").write_text(WITHOUT_THE_OLDEST)
    skipped, *_ = await talked(tmp_path, postgresql_url, redis, handlers="broken")
    assert skipped
