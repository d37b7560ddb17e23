"""Who comes into a room and leaves it, on two nodes: the others are told once, whatever nodes a user's pages are on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from api_tests.cluster.processes import Process, two_processes
from api_tests.cluster.services import Node, run_services
from api_tests.hub.recording import Tab
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually, eventually_told
from app.cluster import asking
from app.features.rooms import store, visits
from app.features.rooms.service import create, leave, let_in, put_out, remove, told_of_entering
from app.features.rooms.visits import Visits
from app.features.users import ensure_users
from app.hub.connection import Connection
from app.hub.drain import Drain
from app.hub.peers import TakeVisits, TellVisits
from app.settings import Settings

GRACE_S = 0.5
CAME, WENT = "+ada lobby", "-ada lobby"


@pytest.fixture
async def nodes(redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Node]]:
    monkeypatch.setattr(visits, "LOOK_AGAIN_S", 50 * MS)
    settings = replace(settings, presence_grace_s=GRACE_S)
    async with run_services(settings, redis.url, "aaaaaaaa", "bbbbbbbb") as both:
        await create(both[0].services, "lobby", "Lobby", is_private=False)
        yield both


async def comes(node: Node, user_id: str = "ada") -> Tab:
    """A page of the user comes into the lobby."""
    page = node.tab(user_id)
    await joins(node, page.connection)
    return page


async def joins(node: Node, connection: Connection) -> None:
    node.hub.registry.join(connection, "lobby")
    await told_of_entering(node.services, connection, ["lobby"], connection.user)


def is_known(node: Node) -> bool:
    return "ada" in node.services.of(Visits)._book.users_in("lobby")


async def test_two_tabs_on_two_nodes_are_one_visit(nodes: list[Node]):
    a, b = nodes
    bob = await comes(b, "bob")
    here = await comes(a)
    await b.knows("ada")
    there = await comes(b)
    a.close(here)
    await eventually(lambda: not is_known(a))
    b.close(there)
    await eventually(lambda: not is_known(b))
    assert ([CAME], ["+bob lobby", WENT]) == (a.told, b.told)
    await eventually(lambda: _lines(bob) == ["Ada joined the room", "Ada left the room"])


async def test_who_moves_to_another_node_within_the_grace_neither_came_nor_went(nodes: list[Node]):
    a, b = nodes
    page = await comes(a)
    await b.knows("ada")
    a.close(page)
    page = await comes(b)
    await eventually(lambda: not is_known(a))
    assert ([CAME], []) == (a.told, b.told)
    b.close(page)
    await eventually(lambda: not is_known(b))
    assert ([CAME], [WENT]) == (a.told, b.told)


async def test_of_two_nodes_whose_graces_end_together_one_tells(nodes: list[Node]):
    for _ in range(3):
        a, b = nodes
        pages = [await comes(a)]
        await b.knows("ada")
        pages.append(await comes(b))
        for node, page in zip(nodes, pages, strict=True):
            node.close(page)
        await eventually(lambda: not any(map(is_known, nodes)))
    assert ([CAME] * 3, [WENT] * 3) == (a.told, b.told)


async def test_of_two_pages_that_come_to_two_nodes_at_once_one_is_told_of(nodes: list[Node]):
    pages = [node.tab("ada").connection for node in nodes]
    for node in nodes:
        await node.knows("ada")
    await asyncio.gather(*(joins(node, page) for node, page in zip(nodes, pages, strict=True)))
    assert [CAME] == [one for node in nodes for one in node.told]


async def test_who_leaves_on_purpose_is_in_the_room_until_the_last_page_of_any_node_does(nodes: list[Node]):
    a, b = nodes
    here = await comes(a)
    await b.knows("ada")
    there = await comes(b)
    await _makes_member(a)
    user = here.connection.user
    await leave(a.services, here.connection, "lobby", user)
    assert (1, [CAME], []) == (await _members(a), a.told, b.told)
    await leave(b.services, there.connection, "lobby", user)
    assert (0, [CAME], [WENT]) == (await _members(a), a.told, b.told)
    assert not any(map(is_known, nodes))


async def test_who_leaves_on_purpose_has_left_though_another_node_waits_for_a_page_to_come_back(nodes: list[Node]):
    a, b = nodes
    here = await comes(a)
    await b.knows("ada")
    there = await comes(b)
    b.close(there)
    await leave(a.services, here.connection, "lobby", here.connection.user)
    await eventually(lambda: not any(map(is_known, nodes)))
    assert ([CAME, WENT], []) == (a.told, b.told)


async def test_who_is_put_out_by_another_node_is_told_of_once(nodes: list[Node]):
    a, b = nodes
    bob = await comes(a, "bob")
    there = await comes(b)
    await a.knows("ada")
    await _makes_member(a)
    await put_out(a.services, "lobby", "ada")
    await eventually(lambda: b.told == [CAME, WENT])
    assert "lobby" not in there.connection.rooms
    await eventually(lambda: _lines(bob) == ["Ada joined the room", "Ada left the room"])
    assert not any(map(is_known, nodes))


async def test_with_a_room_that_another_node_deletes_all_visits_end(nodes: list[Node]):
    a, b = nodes
    await comes(b)
    await remove(a.services, "lobby")
    await eventually(lambda: b.told == [CAME, WENT])
    assert not is_known(b)


async def test_a_page_that_comes_while_its_visit_is_asked_about_goes_on_with_it(nodes: list[Node], monkeypatch: pytest.MonkeyPatch):
    """It comes to the other node, while this one asks whether anybody has pages."""
    a, b = nodes
    page = await comes(a)
    await b.knows("ada")
    ask = asking.RedisPeers.ask

    async def late(peers, question, node=None):
        answers = await ask(peers, question, node)
        if isinstance(question, TellVisits) and not question.begins and not is_known(b):
            await comes(b)
        return answers

    monkeypatch.setattr(asking.RedisPeers, "ask", late)
    a.services.of(Visits)._book.find("lobby", "ada").is_shared = True
    a.close(page)
    await eventually(lambda: not is_known(a))
    assert ([CAME], []) == (a.told, b.told)
    assert is_known(b)


async def test_a_visit_that_ends_while_it_is_asked_whether_it_began_is_not_told(nodes: list[Node], monkeypatch: pytest.MonkeyPatch):
    a, b = nodes
    elsewhere = b.tab("ada")
    await a.knows("ada")
    page = a.tab("ada")
    ask, asked, may_go_on = asking.RedisPeers.ask, asyncio.Event(), asyncio.Event()

    async def hold(peers, question, node=None):
        if isinstance(question, TellVisits) and question.begins:
            asked.set()
            await may_go_on.wait()
        return await ask(peers, question, node)

    monkeypatch.setattr(asking.RedisPeers, "ask", hold)
    await _makes_member(a)
    coming = asyncio.create_task(joins(a, page.connection))
    await asked.wait()
    await put_out(a.services, "lobby", "ada")
    may_go_on.set()
    await coming
    assert ([], []) == (a.told, b.told)
    assert elsewhere.connection.user.id == "ada"


async def test_a_visit_whose_page_leaves_while_it_is_asked_whether_it_began_is_told_both(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
):
    a, b = nodes
    b.tab("ada")
    await a.knows("ada")
    ask, may_go_on = asking.RedisPeers.ask, asyncio.Event()

    async def hold(peers, question, node=None):
        if isinstance(question, TellVisits) and question.begins:
            await may_go_on.wait()
        return await ask(peers, question, node)

    monkeypatch.setattr(asking.RedisPeers, "ask", hold)
    page = a.tab("ada")
    coming = asyncio.create_task(joins(a, page.connection))
    await eventually(lambda: is_known(a))
    visit = a.services.of(Visits)._book.find("lobby", "ada")
    a.close(page)
    await eventually(lambda: visit.grace is None)
    await eventually(lambda: visit.grace is not None)  # its end waits for its beginning
    may_go_on.set()
    await coming
    await eventually(lambda: a.told == [CAME, WENT])


# -- a node that stops ---------------------------------------------------------------------------------------------------
async def test_the_visits_of_a_node_that_stops_are_looked_after_by_another(redis: RedisServer, settings: Settings):
    settings = replace(settings, presence_grace_s=GRACE_S)
    async with run_services(settings, redis.url, "bbbbbbbb") as (b,):
        async with run_services(settings, redis.url, "aaaaaaaa") as (a,):
            await comes(a)
            await comes(a, "bob")
            await eventually(lambda: b.hub.roster.elsewhere({"ada", "bob"}) == {"ada", "bob"})
            await Drain(a.hub, 1.0).run()
            await asyncio.gather(*a.hub.running)
        await comes(b)
        await eventually(lambda: b.told == ["-bob lobby"])
        assert ["+ada lobby", "+bob lobby"] == a.told
        assert is_known(b)


async def test_where_no_other_node_takes_them_nobody_is_told(
    redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(asking, "WITHIN_S", 50 * MS)
    async with run_services(replace(settings, presence_grace_s=GRACE_S), redis.url, "aaaaaaaa", "bbbbbbbb") as (a, b):
        await comes(a)
        await b.knows("ada")

        async def busy(question):
            assert not isinstance(question, TakeVisits)

        b.services.everywhere._peers.answer = busy
        await Drain(a.hub, 1.0).run()
        await asyncio.gather(*a.hub.running)
        assert not is_known(b)


async def test_pages_that_move_with_an_upgrade_are_not_told_of(redis: RedisServer, tmp_path: Path):
    async with two_processes(tmp_path, redis.url, presence_grace_s="5", drain_s="1") as (a, b), b.socket("bob") as bob:
        await bob.ask("join-room", {"roomId": "lobby"})
        async with a.socket("ada") as ada:
            await ada.ask("join-room", {"roomId": "lobby"})
            assert "ada joined" in (await bob.next_of("#room-activity"))["html"].lower()
            a.serving.process.terminate()
            await ada.closed()
            async with b.socket("ada", path=f"/ws?session={ada.hello['session']}&cursor={ada.hello['cursor']}") as back:
                await _is_in_room(b, back.id)
                await b.api.broadcast("marker")
                await bob.hears_nothing_but("marker")


# -- while Redis is away -------------------------------------------------------------------------------------------------
async def test_while_redis_is_away_pages_of_the_own_node_are_told_who_left(nodes: list[Node], redis: RedisServer):
    a, b = nodes
    bob = await comes(a, "bob")
    page = await comes(a)
    await b.knows("ada", "bob")
    await redis.stop()
    a.close(page)
    await eventually(lambda: _lines(bob)[-1:] == ["Ada left the room"])
    assert ["+bob lobby", CAME, WENT] == a.told


def _lines(page: Tab) -> list[str]:
    """What is said of Ada."""
    return [html.removeprefix("<div>").removesuffix("</div>") for html in page.heard if "Ada" in html]


async def _makes_member(node: Node) -> None:
    async with node.services.database.transaction() as session:
        await ensure_users(session, ["ada"])
    await let_in(node.services, "lobby", "ada")


async def _members(node: Node) -> int:
    async with node.services.database.reading() as session:
        return len((await store.members(session, "lobby", of_users=None, limit=10, cursor=None)).rows)


async def _is_in_room(node: Process, connection_id: str) -> None:
    async def is_there() -> bool:
        return connection_id in (await node.api.get("/connections?room_id=lobby")).text

    await eventually_told(is_there)
