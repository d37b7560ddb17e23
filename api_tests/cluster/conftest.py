"""A cluster whose nodes look often, with a grace that is over soon."""

import pytest

from api_tests.cluster.nodes import Cluster
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS
from app.cluster import clerk

SHORT_S = 0.2


@pytest.fixture
def cluster(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """With a grace that is over soon. Nodes look often, and the dead are known soon."""
    monkeypatch.setattr(clerk, "BEAT_S", 50 * MS)
    return Cluster(redis.url, SHORT_S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "DEAD_AFTER_S", 1.0)
