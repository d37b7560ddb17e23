"""A back office that asks under idempotency keys, and asks again until it is answered."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import httpx

from api_tests.faults.two_nodes import Node
from api_tests.waiting import MS

STORED = "SELECT title, count(*) FROM notifications GROUP BY title"
AGAIN = frozenset({"no answer", "unavailable"})


class AskingAgain:
    """Asks the first node, and the second one for what the first one leaves without an answer."""

    def __init__(self, client: httpx.AsyncClient, nodes: Sequence[Node], calls: int, *, waits_a_minute: bool) -> None:
        """`waits_a_minute`: also for what a process that died, or lost its database, has left in the air."""
        self._client = client
        self._nodes = nodes
        self._again = AGAIN | ({"still_running"} if waits_a_minute else set())
        self.outcomes: dict[str, str] = {}
        """By the title of the notification."""
        self.asked_again = 0
        self._left = [f"title {number}" for number in range(calls)]

    async def ask_all(self, at_once: int) -> None:
        async def ask() -> None:
            while self._left:
                title = self._left.pop()
                self.outcomes[title] = await self._until_answered(title)

        await asyncio.gather(*(ask() for _ in range(at_once)))

    async def _until_answered(self, title: str) -> str:
        outcome = await self.once(self._nodes[0], title)
        while outcome in self._again:
            self.asked_again += 1
            await asyncio.sleep(0.5 if outcome == "still_running" else 20 * MS)
            outcome = await self.once(self._nodes[1], title)
        return outcome

    async def once(self, node: Node, title: str) -> str:
        """What became of it: `done`, `replayed`, or the code of its problem."""
        body, key = {"user_ids": ["ada"], "title": title}, {"Idempotency-Key": title.replace(" ", "-")}
        try:
            answer = await self._client.post(f"{node.url}/api/v1/notifications", json=body, headers=key)
        except httpx.TransportError:
            return "no answer"
        if answer.status_code == HTTPStatus.CREATED:
            return "replayed" if "idempotency-replayed" in answer.headers else "done"
        return str(answer.json()["type"]).rpartition(":")[2]
