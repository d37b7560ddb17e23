"""How many connections a user may have, on two nodes together."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_tests.cluster.processes import Process, token_of, two_processes
from api_tests.redis_server import RedisServer
from api_tests.sockets.test_entry import refused
from api_tests.waiting import eventually_told


@pytest.fixture
async def nodes(redis: RedisServer, tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_processes(tmp_path, redis.url, max_sockets_per_user="2") as both:
        yield both


async def all_know_of(nodes: list[Process], connections: int) -> None:
    """Wait until both know how many connections she has."""
    for node in nodes:

        async def knows(node: Process = node) -> bool:
            return connections == (await node.api.get("/users/ada/presence")).json().get("connections")

        await eventually_told(knows)


async def test_connections_to_the_other_node_count(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada"), b.socket("ada") as there, a.socket("bob"), b.socket(None) as page:
        await all_know_of(nodes, 2)
        for node in nodes:
            status, problem = await refused(node.socket("ada"))
            assert (429, True) == (status, "WSX_MAX_SOCKETS_PER_USER" in str(problem["detail"]))
        await page.ask("authenticate", {"token": token_of("ada")})
        assert ["too_many_sockets"] == [error["code"] for error in page.errors]
        await there.raw.close()
        await all_know_of(nodes, 1)
        async with a.socket("ada"):
            pass


async def test_a_page_that_comes_back_to_the_other_node_takes_the_place_of_its_old_connection(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada") as ada, a.socket("ada"):
        await all_know_of(nodes, 2)
        status, _ = await refused(b.socket("ada", path="/ws?session=no-session"))
        assert 429 == status
        async with b.socket("ada", path=f"/ws?session={ada.hello['session']}&cursor={ada.hello['cursor']}") as back:
            assert back.hello["resumed"]
            assert 4403 == (await ada.closed())[0]
            await all_know_of(nodes, 2)
            async with b.socket("ada", path=f"/ws?session={ada.hello['session']}") as again:
                assert 4403 == (await back.closed())[0]
                await all_know_of(nodes, 2)
                status, _ = await refused(b.socket("ada"))
                assert 429 == status
                assert again.id
