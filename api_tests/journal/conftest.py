"""Nodes of a cluster, with one Redis."""

from collections.abc import AsyncIterator

import pytest

from api_tests.journals import RedisNode, redis_node
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS
from app.journal import redis as journals


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at every second is looked at more often."""
    monkeypatch.setattr(journals, "LOOK_EVERY_S", 20 * MS)
    monkeypatch.setattr(journals, "RECONNECT_MAX_S", 50 * MS)


@pytest.fixture
async def nodes(redis: RedisServer, quick: None) -> AsyncIterator[tuple[RedisNode, RedisNode]]:
    async with redis_node(redis) as one, redis_node(redis) as other:
        yield one, other
