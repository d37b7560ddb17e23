"""People who use the server as they should while others abuse it, and how long each of them waits for an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from api_tests.cluster.processes import token_of
from api_tests.faults.crowd import RETRY_S, Page
from api_tests.waiting import eventually
from app.kernel.clock import monotonic

ASKS_EVERY_S = 0.25
"""A fifth of what `WSX_SOCKET_RATE_PER_S` allows."""


class Visitor(Page):
    """One page of a signed-in user that asks something four times a second, whether it was answered or not."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__([url], RETRY_S, token=token_of(name))
        self.waited_s: list[float] = []
        self._numbers = count(1)
        self._asked: dict[str, float] = {}

    @property
    def is_answered(self) -> bool:
        return not self._asked

    @property
    def was_disturbed(self) -> bool:
        """Whether it lost its connection."""
        return len(self.hellos) != 1 or bool(self.codes) or not self.is_connected

    async def ask_on(self) -> None:
        """Ask until cancelled."""
        while True:
            request_id = f"req_{next(self._numbers)}"
            self._asked[request_id] = monotonic()
            where = {"latitude": 52.5, "longitude": 13.4}
            self.say({"id": request_id, "handler": "set-location", "target": "#answer", "trigger": "click", "data": where})
            await asyncio.sleep(ASKS_EVERY_S)

    def _received(self, message: Any, _known: str) -> None:
        asked_at = self._asked.pop(message.get("id"), None)
        if asked_at is not None:
            self.waited_s.append(monotonic() - asked_at)


class Visitors(list[Visitor]):
    """All of them."""

    async def waits_s(self, seconds: float) -> list[float]:
        """How long they waited for their answers in the next seconds; returns when all are answered."""
        for visitor in self:
            visitor.waited_s.clear()
        asking = [asyncio.create_task(self._begin(visitor, place)) for place, visitor in enumerate(self)]
        await asyncio.sleep(seconds)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await eventually(lambda: all(visitor.is_answered for visitor in self))
        return [waited_s for visitor in self for waited_s in visitor.waited_s]

    async def _begin(self, visitor: Visitor, place: int) -> None:
        """One after the other."""
        await asyncio.sleep(ASKS_EVERY_S * place / len(self))
        await visitor.ask_on()


@asynccontextmanager
async def visitors(url: str, how_many: int) -> AsyncIterator[Visitors]:
    """All are connected. Leaves it to the test to say whether they were disturbed."""
    people = Visitors(Visitor(url, f"visitor{number}") for number in range(how_many))
    try:
        await asyncio.gather(*(visitor.connect() for visitor in people))
        await eventually(lambda: all(visitor.hellos for visitor in people))
        yield people
    finally:
        for visitor in people:
            visitor.leave()
