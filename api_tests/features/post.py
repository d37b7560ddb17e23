"""What is sent to users who may be away: notifications and private messages, which wait in the same manner."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from websockets.exceptions import ConnectionClosed

from api_tests.client import ApiClient, SocketClient
from api_tests.db.beside import rows
from api_tests.features.screen import Screen, fragments
from api_tests.server import ADMIN_KEY, Running
from api_tests.waiting import eventually

LISTS = {"notifications": "#notifications", "messages": "#messages"}
"""Where the things of a table are shown."""

MARKED = {
    "messages": "SELECT count(*) FROM messages WHERE delivered_at IS NOT NULL",
    "notifications": "SELECT count(*) FROM notifications WHERE delivered_at IS NOT NULL",
}
"""How many things of a table were delivered."""


class Post:
    """Sends things of one table."""

    def __init__(self, server: Running, api: ApiClient, table: str, sender: SocketClient) -> None:
        self.server = server
        self.api = api
        self.table = table
        self._sender = sender
        self._numbers = count()

    async def send(self, text: str, to: str = "ada") -> str:
        """Send something to somebody, who gets a row; returns its id."""
        if self.table == "notifications":
            answer = await self.api.post("/notifications", {"user_ids": [to], "title": "News", "message": text})
            assert answer.is_success, answer.text
            made: str = answer.json()["items"][0]["id"]
            return made
        await self.api.put(f"/users/{to}", {"name": to})
        sent: list[Any] = []
        self.server.hub.events.on("message.sent", sent.append)
        answer = await self._sender.ask("private-message", {"recipientId": to, "message": text})
        self.server.hub.events.off("message.sent", sent.append)
        assert "Message sent" in answer["html"], answer
        return str(sent[0].id)

    async def shown(self, page: SocketClient) -> Screen:
        """The list that the next message makes."""
        screen = Screen(LISTS[self.table])
        screen.apply(await page.next())
        return screen

    async def ids_shown(self, page: SocketClient, how_many: int) -> list[str]:
        """Of the next things, of which so many come; between them may come how many wait by now."""
        ids: list[str] = []
        while len(ids) < how_many:
            ids += (await self.shown(page)).ids
        return ids

    async def nothing_waits_for(self, *pages: SocketClient) -> None:
        """These pages, connected before, are told of nothing more: whoever connects now is looked up with them or later."""
        number = next(self._numbers)
        await self.send("x", to=f"probe-{number}")
        async with self.server.socket(f"probe-{number}") as probe:
            assert ["x"] == (await self.shown(probe)).texts
        await self.api.broadcast(f"marker {number}")
        for page in pages:
            await page.hears_nothing_but(f"marker {number}")

    async def marked(self, how_many: int) -> None:
        """Wait until so many are marked, on disk."""
        await eventually(lambda: [(how_many,)] == rows(self.server.settings, MARKED[self.table]))


@asynccontextmanager
async def posting(server: Running, table: str) -> AsyncIterator[Post]:
    async with ApiClient(server.url, ADMIN_KEY) as api, server.socket("bob") as bob:
        yield Post(server, api, table, bob)


async def see(page: SocketClient, seen: Counter[str], target: str) -> None:
    """Count what the next message shows."""
    _note(await page.next(), seen, target)


async def visit(page: SocketClient, seen: Counter[str], stay_s: float, target: str) -> None:
    """Count what is shown for a while, then leave; what was on its way counts, too."""
    with suppress(TimeoutError):
        async with asyncio.timeout(stay_s):
            while True:
                _note(await page.next(), seen, target)
    await page.raw.close()
    with suppress(ConnectionClosed):
        while True:
            _note(await page.next(), seen, target)


def _note(message: Any, seen: Counter[str], target: str) -> None:
    for part in fragments(message):
        if part["target"] == target:
            screen = Screen(target)
            screen.apply(part)
            seen.update(screen.ids)
