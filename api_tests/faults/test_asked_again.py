"""A node is killed while a back office asks under idempotency keys; what was not answered is asked again of the other one."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from api_tests.faults.asking_again import STORED, AskingAgain
from api_tests.faults.two_nodes import two_nodes
from api_tests.postgresql_server import query
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S, eventually

CALLS = 120
AT_ONCE = 12


async def test_what_is_asked_again_of_another_node_is_done_once(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, is_long: bool, report: Callable[[str], None]
) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        two_nodes(tmp_path, postgresql_url, redis.url) as nodes,
        httpx.AsyncClient(headers=headers, timeout=SOON_S) as client,
    ):
        office = AskingAgain(client, nodes, CALLS, waits_a_minute=is_long)
        asking = asyncio.create_task(office.ask_all(AT_ONCE))
        await eventually(lambda: len(office.outcomes) > CALLS // 4)
        await nodes[0].kill()
        await asking
        stored = {str(title): count for title, count in query(postgresql_url, STORED)}
    report(f"asked again {dict(Counter(office.outcomes.values()))}, stored {len(stored)}")
    assert {1} == set(stored.values())
    assert {"done", "replayed", "answer_lost", "still_running"} >= set(office.outcomes.values())
    assert {title for title, outcome in office.outcomes.items() if outcome != "still_running"} <= stored.keys()
    assert not is_long or CALLS == len(stored)
