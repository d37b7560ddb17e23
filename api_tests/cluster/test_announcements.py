"""Announcements on two nodes: a page is shown just those in force, once, whichever node made them and whichever it comes to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_tests.client import SocketClient
from api_tests.cluster.processes import Process, two_processes
from api_tests.features.announcing import announce, change, ends_soon, later, shown
from api_tests.features.following import follow
from api_tests.features.screen import Screen
from api_tests.redis_server import RedisServer


@pytest.fixture
async def both(redis: RedisServer, tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_processes(tmp_path, redis.url) as processes:
        yield processes


async def list_of(page: SocketClient, node: Process) -> list[str]:
    """What the page's list shows when nothing more is on its way."""
    await node.api.broadcast("the end", target="#end")
    screen = Screen("#announcements")
    while (message := await page.next()).get("target") != "#end":
        screen.apply(message)
    return screen.texts


async def test_a_page_that_connects_to_the_other_node_is_shown_what_is_in_force_as_it_is_now(both: list[Process]):
    a, b = both
    for node, other in ((a, b), (b, a)):
        stays, edited, gone = [await announce(node.api, message=text) for text in ("stays", "is edited", "is recalled")]
        async with other.socket("ada") as page:
            assert ["is recalled", "is edited", "stays"] == await list_of(page, other)
            await change(node.api, edited, message="was edited")
            assert 204 == (await node.api.delete(f"/announcements/{gone['id']}")).status_code
            for _ in range(2):
                await page.next()
        for each in both:
            async with each.socket("ada") as page:
                assert ["was edited", "stays"] == await list_of(page, each)
        for one in (stays, edited):
            await other.api.delete(f"/announcements/{one['id']}")


async def test_one_whose_hour_comes_is_shown_to_whoever_comes_then_to_either_node_until_its_time_is_over(both: list[Process]):
    a, b = both
    async with a.socket("ada") as ada, b.socket("bob") as bob:
        made = await announce(a.api, message="now", publish_at=later(1))
        for page in (ada, bob):
            assert ["now"] == (await shown(page)).texts
        for node in both:
            async with node.socket("cleo") as page:
                assert ["now"] == await list_of(page, node)
        await ends_soon(b.api, made)
        for page in (ada, bob):
            while "delete" != (await page.next()).get("swap"):
                pass
        for node in both:
            async with node.socket("cleo") as page:
                assert [] == await list_of(page, node)


async def test_a_page_that_comes_back_to_the_other_node_is_shown_once_what_came_meanwhile(both: list[Process]):
    a, b = both
    async with a.socket("ada") as page:
        gone = await announce(a.api, message="is recalled")
        cursor = (await page.next_of("#announcements"))["cursor"]
    await announce(b.api, message="came meanwhile")
    await a.api.delete(f"/announcements/{gone['id']}")
    for node in both:
        async with node.socket("ada", path=f"/ws?session={page.hello['session']}&cursor={cursor}") as back:
            assert back.hello["resumed"]
            assert ["came meanwhile"] == await list_of(back, node)


async def test_followers_who_come_to_another_node_are_shown_it_too(both: list[Process]):
    a, b = both
    await follow(a.api, ("zoe", "ada"), ("bob", "ada"))
    async with b.socket("zoe") as zoe, b.socket("eve") as eve:
        await announce(a.api, audience={"kind": "followers_of", "user_id": "ada"})
        assert ["Free coffee"] == (await shown(zoe)).texts
        assert [] == await list_of(eve, b)
    async with b.socket("bob") as bob:
        assert ["Free coffee"] == (await shown(bob)).texts
