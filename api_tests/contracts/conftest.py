"""Every adapter of a port, for its contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_tests.journals import RedisNode, redis_node
from api_tests.redis_server import RedisServer, run_redis
from app.journal.memory import MemoryJournal
from app.journal.port import Journal


class Kept:
    """A journal, and the verb that makes it forget: the port has none."""

    def __init__(self, journal: Journal, redis: RedisServer | None = None) -> None:
        self.journal = journal
        self._redis = redis

    async def forget_all_but(self, count: int) -> None:
        if self._redis is None:
            ring = self.journal._ring
            ring._max_entries = count
            ring._trim()
        else:
            assert isinstance(self.journal, RedisNode)
            await self.journal.forget_all_but(count, self._redis)


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    if request.param == "memory":
        yield Kept(MemoryJournal(1_000))
        return
    async with run_redis(tmp_path / "redis") as redis, redis_node(redis) as journal:
        yield Kept(journal, redis)


@pytest.fixture
def journal(kept: Kept) -> Journal:
    return kept.journal
