"""A node is killed while a back office asks under idempotency keys; what was not answered is asked again of the other one."""

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from api_tests.faults.two_nodes import Node, two_nodes
from api_tests.postgresql_server import query
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S, eventually

CALLS = 120
AT_ONCE = 12
STORED = "SELECT title, count(*) FROM notifications GROUP BY title"


class BackOffice:
    """Asks the first node, and the second one for what the first one leaves without an answer."""

    def __init__(self, client: httpx.AsyncClient, nodes: list[Node], *, waits_a_minute: bool) -> None:
        self._client = client
        self._nodes = nodes
        self._waits_a_minute = waits_a_minute
        self.outcomes: dict[str, str] = {}
        """By the title of the notification."""
        self._left = [f"title {number}" for number in range(CALLS)]

    async def ask_all(self) -> None:
        async def ask() -> None:
            while self._left:
                title = self._left.pop()
                self.outcomes[title] = await self._until_answered(title)

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))

    async def _until_answered(self, title: str) -> str:
        try:
            outcome = await self._once(self._nodes[0], title)
        except httpx.TransportError:
            outcome = "no answer"
        again = {"no answer", "unavailable"} | ({"still_running"} if self._waits_a_minute else set())
        while outcome in again:
            outcome = await self._once(self._nodes[1], title)
            await asyncio.sleep(0.5 if outcome == "still_running" else 0)
        return outcome

    async def _once(self, node: Node, title: str) -> str:
        body, key = {"user_ids": ["ada"], "title": title}, {"Idempotency-Key": title.replace(" ", "-")}
        answer = await self._client.post(f"{node.url}/api/v1/notifications", json=body, headers=key)
        if answer.status_code == HTTPStatus.CREATED:
            return "replayed" if "idempotency-replayed" in answer.headers else "done"
        return str(answer.json()["type"]).rpartition(":")[2]


async def test_what_is_asked_again_of_another_node_is_done_once(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, is_long: bool, report: Callable[[str], None]
) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        two_nodes(tmp_path, postgresql_url, redis.url) as nodes,
        httpx.AsyncClient(headers=headers, timeout=SOON_S) as client,
    ):
        office = BackOffice(client, nodes, waits_a_minute=is_long)
        asking = asyncio.create_task(office.ask_all())
        await eventually(lambda: len(office.outcomes) > CALLS // 4)
        await nodes[0].kill()
        await asking
        stored = {str(title): count for title, count in query(postgresql_url, STORED)}
    report(f"asked again {dict(Counter(office.outcomes.values()))}, stored {len(stored)}")
    assert {1} == set(stored.values())
    assert {"done", "replayed", "answer_lost", "still_running"} >= set(office.outcomes.values())
    assert {title for title, outcome in office.outcomes.items() if outcome != "still_running"} <= stored.keys()
    assert not is_long or CALLS == len(stored)
