"""What is stored for users who may be away, on two nodes: each thing once, whoever sent it and wherever the pages are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from api_tests.cluster.processes import Process, two_processes
from api_tests.cluster.services import Held, Node, run_services
from api_tests.db.beside import rows
from api_tests.features.post import MARKED
from api_tests.features.screen import Screen
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.features import away
from app.features.notifications.service import mark, notify
from app.settings import Settings

NEWS = {"kind": "info", "title": "News", "message": "x"}


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings) -> AsyncIterator[list[Node]]:
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as both:
        yield both


async def all_are_marked(settings: Settings, count: int) -> None:
    await eventually(lambda: [(count,)] == rows(settings, MARKED["notifications"]))


@pytest.mark.parametrize("table", ["notifications", "messages"])
async def test_what_another_node_pushed_is_not_pushed_again_at_the_next_connect(redis: RedisServer, tmp_path: Path, table: str):
    async with two_processes(tmp_path, redis.url) as (a, b), a.socket("bob") as bob:

        async def send() -> None:
            if table == "notifications":
                await a.api.post("/notifications", {"user_ids": ["ada"], "title": "News"})
            else:
                assert "Message sent" in (await bob.ask("private-message", {"recipientId": "ada", "message": "x"}))["html"]

        await a.api.put("/users/ada", {"name": "Ada"})
        target = "#notifications" if table == "notifications" else "#messages"
        await send()
        async with b.socket("ada") as page:
            await page.next_of(target)  # what has waited for her
            await send()
            await page.next_of(target)
            both = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'both.db'}")
            await eventually(lambda: [(2,)] == rows(both, MARKED[table]))
        for node in (a, b):
            async with node.socket("ada") as page:
                await _hears_nothing_of(page, target, node)


async def _hears_nothing_of(page: object, target: str, node: Process) -> None:
    async with node.socket("cleo") as probe:  # who comes behind her is looked up no earlier
        await node.api.post("/notifications", {"user_ids": ["cleo"], "title": "x"})
        await probe.next_of("#notifications")
    await node.api.broadcast("marker")
    message = await page.next()
    while "marker" not in str(message):
        assert target not in str(message)
        message = await page.next()


async def test_who_comes_to_both_nodes_at_once_is_shown_once_what_waits_on_each_page(nodes: list[Node], settings: Settings):
    sent, *_ = await notify(nodes[0].services, user_ids=["ada"], **NEWS)
    pages = [node.tab("ada") for node in nodes]
    await eventually(lambda: all(page.heard for page in pages))
    await all_are_marked(settings, 1)
    for node in nodes:
        await node.nothing_waits()
    for page in pages:
        assert [str(sent[0].id)] == _shown(page)


async def test_a_push_that_comes_behind_a_look_up_of_another_node_shows_nothing_again(
    nodes: list[Node], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """She comes between the commit on one node and its push, and is looked up on the other."""
    a, b = nodes
    held = Held(a, monkeypatch)
    sending = asyncio.create_task(notify(a.services, user_ids=["ada"], **NEWS))
    await held.came.wait()
    page = b.tab("ada")
    await eventually(lambda: page.heard)
    held.may_go_on.set()
    sent, *_ = await sending
    await b.heard(a)
    assert [str(sent[0].id)] == _shown(page)
    assert [str(sent[0].id)] == _shown(page)
    await all_are_marked(settings, 1)


async def test_what_another_node_is_about_to_mark_is_left_alone(
    nodes: list[Node], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    page = b.tab("ada")
    await a.knows("ada")
    sent, *_ = await notify(a.services, user_ids=["ada"], **NEWS)
    await eventually(lambda: page.heard)
    other = a.tab("ada")  # its mark may not be written yet
    await a.nothing_waits()
    await all_are_marked(settings, 2)
    assert ([str(sent[0].id)], []) == (_shown(page), other.heard)


async def test_what_another_node_could_not_write_is_pushed_here_a_moment_later(nodes: list[Node], settings: Settings):
    a, b = nodes
    page = b.tab("ada")
    await a.knows("ada")
    page.sink.close(1001, "")  # it says goodbye, which the hub does not know yet
    sent, *_ = await notify(a.services, user_ids=["ada"], **NEWS)
    b.close(page)
    other = a.tab("ada")
    await eventually(lambda: other.heard)
    assert [str(sent[0].id)] == _shown(other)
    await all_are_marked(settings, 1)


async def test_one_that_is_back_from_the_archive_by_one_node_is_marked_by_the_other(nodes: list[Node], settings: Settings):
    a, b = nodes
    sent, *_ = await notify(a.services, user_ids=["ada"], **NEWS)
    await mark(a.services, sent[0].id, "archived", on=True)
    page = b.tab("ada")
    await b.nothing_waits()
    assert [] == page.heard
    await mark(a.services, sent[0].id, "archived", on=False)
    await eventually(lambda: page.heard)
    await all_are_marked(settings, 2)
    assert [str(sent[0].id)] == _shown(page)


async def test_whatever_is_sent_by_both_while_pages_move_between_them_arrives_once(
    redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(away, "ELSEWHERE_S", 5.0)  # however slow the machine is with its marks
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as nodes:
        for node in nodes:
            node.close(node.tab("ada"))
        await eventually(lambda: all(node.hub.roster.is_online_elsewhere("ada") for node in nodes))
        await _send_and_move(nodes)


async def _send_and_move(nodes: list[Node]) -> None:
    seen: Counter[str] = Counter()
    sent: list[UUID] = []
    over = asyncio.Event()

    async def sends(node: Node) -> None:
        while not over.is_set():
            rows_made, *_ = await notify(node.services, user_ids=["ada"], **NEWS)
            sent.append(rows_made[0].id)

    sending = [asyncio.create_task(sends(node)) for node in nodes]
    for number in range(30):
        node = nodes[number % 2]
        page = node.tab("ada")
        await asyncio.sleep(number % 4 * 10 * MS)
        await node.hub.delivery.writing.until_written()
        seen.update(_shown(page))
        node.close(page)
    over.set()
    await asyncio.gather(*sending)
    page = nodes[0].tab("ada")
    await eventually(lambda: len(seen.keys() | set(_shown(page))) == len(sent))
    seen.update(_shown(page))
    assert {1} == set(seen.values())


def _shown(page: object) -> list[str]:
    """Ids of all that it was told, each as often as it was."""
    found = []
    for message in page.sink.messages:
        screen = Screen("#notifications")
        screen.apply(message)
        found += screen.ids
    return found
