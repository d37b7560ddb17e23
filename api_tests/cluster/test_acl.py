"""The user of Redis that the docs print may do all that a node does, and nothing to what is of others."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from api_tests.client import ApiClient
from api_tests.cluster.asked import Node
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import eventually
from app.cluster.client import check
from app.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "redis.md"


@pytest.fixture
async def limited(redis: RedisServer) -> str:
    """The address of Redis for that user; for everybody else it is closed."""
    line = re.search(r"ACL SETUSER (.+)", DOCS.read_text())[1]
    name = line.split()[0]
    await redis.client.execute_command("ACL", "SETUSER", *line.split())
    return redis.url.replace("//", f"//{name}:password@")


async def test_a_node_lives_with_the_rights_that_the_docs_print(
    settings: Settings, redis: RedisServer, limited: str, logged: Callable[[], str]
):
    assert not await check(limited)
    async with (
        run_server(msgspec.structs.replace(settings, redis_url=limited)) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        Node(redis, "b", url=limited).running() as b,
        server.socket("ada") as ada,
    ):
        await eventually(lambda: len(server.hub.roster.nodes) == 1 and not server.hub.roster.is_stale)
        await b.listens()
        await api.broadcast("heard")
        heard = await ada.next()
        assert "heard" == heard["html"]
        page = (await api.get("/connections?node=b")).json()
        assert [] == page["items"]
        await ada.__aexit__(None, None, None)
        await server.connected(0)
        async with server.socket("ada", path=f"/ws?cursor={heard['cursor']}&session={ada.hello['session']}") as back:
            assert back.hello["resumed"]
    assert "permissions" not in logged()


@pytest.mark.parametrize("command", [("GET", "other"), ("FLUSHALL",), ("PUBLISH", "other", "x"), ("CONFIG", "GET", "dir")])
async def test_that_user_has_no_rights_on_what_is_of_others(limited: str, command: tuple[str, ...]):
    client = Redis.from_url(limited)
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command)
    await client.aclose()
