"""A page of a hub that is back, and a journal as one of a cluster would be."""

import asyncio
from collections.abc import Sequence

from api_tests.hub.recording import V1, RecordingSink, turns
from app.hub.audience import everyone
from app.hub.hub import Hub
from app.hub.publication import encode, one
from app.hub.returning import Back
from app.journal.memory import MemoryJournal
from app.journal.port import Entry
from app.kernel.errors import Unavailable
from app.kernel.identity import User
from app.wire.update import Update

ADA = User("ada", "Ada")


class Returned:
    """A page that is back."""

    def __init__(self, hub: Hub, back: Back, user: User | None = ADA, *, accepts: int = 1_000) -> None:
        self.hub = hub
        self.sink = RecordingSink()
        self.sink.accepts = accepts
        self.connection = hub.connect(self.sink, V1, user, address="", user_agent="", back=back)

    @property
    def heard(self) -> list[str]:
        return [message["html"] for message in self.sink.messages if "html" in message]

    @property
    def is_live(self) -> bool:
        return self.connection.outbox.catch_up is None and not self.connection.outbox.closed

    async def done(self) -> None:
        async with asyncio.timeout(5):
            while self.hub.returning.running:
                await turns()
            await turns(2)


async def say(hub: Hub, *texts: str, target: str = "#a") -> None:
    for text in texts:
        await hub.publish(one(everyone, Update(target, text, "beforeend")))


async def behind(hub: Hub, count: int) -> Returned:
    """A page that has missed so many messages of 200 bytes, and whose socket takes one write."""
    start = hub.cursor()
    await say(hub, *["x" * 200] * count)
    return Returned(hub, Back(start), accepts=0)


class AheadJournal(MemoryJournal):
    """As one of a cluster: `read` waits, and returns what this node has not delivered yet."""

    def __init__(self) -> None:
        super().__init__(100)
        self.elsewhere: list[Entry] = []
        self.is_empty = self.is_broken = self.is_away = False
        self.waits_after_next = False
        self.reading = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def append_elsewhere(self, text: str) -> None:
        """Another node has published."""
        place = self._place + len(self.elsewhere) + 1
        self.elsewhere.append(Entry(f"{self._epoch}-{place:012x}", encode(one(everyone, Update("#a", text, "beforeend")))))

    async def deliver(self) -> None:
        """It has reached this node."""
        for entry in self.elsewhere:
            await self.append(entry.payload)
        self.elsewhere.clear()

    async def read(self, after: str, limit: int) -> Sequence[Entry]:
        self.reading.set()
        await self.may_read.wait()
        if self.waits_after_next:
            self.waits_after_next = False
            self.may_read.clear()
        if self.is_broken:
            raise ConnectionError
        if self.is_away:
            raise Unavailable("the journal is away")
        if self.is_empty:
            return []
        return [*await super().read(after, limit), *self.elsewhere][:limit]


def hub_ahead() -> tuple[Hub, AheadJournal]:
    """A hub on such a journal."""
    journal = AheadJournal()
    return Hub(journal, outbox_bytes=65_536), journal
