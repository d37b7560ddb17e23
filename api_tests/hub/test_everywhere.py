"""The answers of several nodes become one, and what is not known is never said to be known."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api_tests.hub.recording import make_hub, tab
from app.hub.answering import Answering
from app.hub.audience import connections, everyone, roles, rooms, users
from app.hub.everywhere import Everywhere, Incomplete
from app.hub.hub import Hub
from app.hub.peers import Alone, Answers, Question, RevokeTokens
from app.hub.publication import one
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, InvalidFields, NotFound
from app.kernel.ids import new_short_id
from app.wire.update import Update


class Several:
    """Peers whose hubs are here; `missing` ones do not answer."""

    is_alone = False

    def __init__(self, hubs: list[Hub]) -> None:
        self.by_node = {hub.returning.ids.node: Answering(hub).answer for hub in hubs}
        self.node = next(iter(self.by_node))
        self.missing: tuple[str, ...] = ()

    async def ask(self, question: Question[Any], node: str | None = None) -> Answers[Any]:
        found = {name: await answer(question) for name, answer in self.by_node.items() if node in (None, name)}
        return Answers(found, self.missing)


@pytest.fixture
def hubs() -> list[Hub]:
    return [make_hub(), make_hub()]


@pytest.fixture
def peers(hubs: list[Hub]) -> Several:
    return Several(hubs)


@pytest.fixture
def everywhere(hubs: list[Hub], peers: Several) -> Everywhere:
    return Everywhere(hubs[0], peers)


async def listed(everywhere: Everywhere, limit: int, **how: Any) -> list[str]:
    """All connections, by pages of this length."""
    found: list[str] = []
    while True:
        page = await everywhere.connections(everyone, limit=limit, after=found[-1] if found else "", **how)
        assert (limit if page.has_more else len(page.items)) == len(page.items)
        found += [item.id for item in page.items]
        if not page.has_more:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_a_list_goes_through_all_nodes_in_one_order_each_once(hubs: list[Hub], everywhere: Everywhere, limit: int):
    pages = [tab(hubs[number % 3 == 0]) for number in range(7)]
    assert [page.connection.id for page in pages] == await listed(everywhere, limit)
    second = [page.connection.id for page in pages[::3]]
    assert second == await listed(everywhere, limit, node=hubs[1].returning.ids.node)


async def test_who_comes_and_goes_between_two_pages_hides_and_repeats_nobody(hubs: list[Hub], everywhere: Everywhere):
    pages = [tab(hubs[number % 2]) for number in range(6)]
    first = await everywhere.connections(everyone, limit=3)
    hubs[0].disconnect(pages[0].connection, 1001, "")
    hubs[1].disconnect(pages[3].connection, 1001, "")
    new = tab(hubs[1])
    second = await everywhere.connections(everyone, limit=3, after=first.items[-1].id)
    assert [pages[4].connection.id, pages[5].connection.id, new.connection.id] == [item.id for item in second.items]


async def test_a_user_with_pages_on_both_nodes_counts_once(hubs: list[Hub], peers: Several, everywhere: Everywhere):
    for hub in hubs:
        for user_id in ("ada", "ada"):
            tab(hub, user_id)
    tab(hubs[0], "bob", "admin")
    tab(hubs[1])
    assert (6, 5, 2, ()) == await everywhere.count(everyone)
    assert (1, 1, 1, ()) == await everywhere.count(roles("admin"))
    assert (4, 4, 1, ()) == await everywhere.count(users("ada"))
    peers.missing = ("lost",)
    assert (6, 5, 2, ("lost",)) == await everywhere.count(everyone)


async def test_users_are_listed_by_id_each_once(hubs: list[Hub], everywhere: Everywhere):
    for hub, ids in zip(hubs, (("bob", "ada", "dora"), ("ada", "cleo")), strict=True):
        for user_id in ids:
            hub.registry.join(tab(hub, user_id).connection, "lobby")
        tab(hub, "zoe")
        hub.registry.join(tab(hub).connection, "lobby")
    first = await everywhere.users(rooms("lobby"), limit=3)
    assert ([("ada", "Ada"), ("bob", "Bob"), ("cleo", "Cleo")], True) == (
        [(one.id, one.name) for one in first.items],
        first.has_more,
    )
    rest = await everywhere.users(rooms("lobby"), limit=3, after="cleo")
    assert (["dora"], False) == ([one.id for one in rest.items], rest.has_more)


async def test_rooms_are_counted_on_all_nodes_or_not_at_all(hubs: list[Hub], peers: Several, everywhere: Everywhere):
    for hub in (*hubs, hubs[0]):
        hub.registry.join(tab(hub).connection, "lobby")
    assert {"lobby": 3, "empty": 0} == await everywhere.count_in_rooms(["lobby", "empty"])
    assert {} == await everywhere.count_in_rooms([])
    peers.missing = ("lost",)
    assert {"lobby": None} == await everywhere.count_in_rooms(["lobby"])


async def test_an_audience_is_closed_on_all_nodes(hubs: list[Hub], everywhere: Everywhere):
    pages = [tab(hub, "ada") for hub in hubs]
    other = tab(hubs[1], "bob")
    assert 2 == await everywhere.close(users("ada"), "signed out")
    assert [(4409, "signed out")] * 2 + [None] == [page.sink.closed_with for page in (*pages, other)]


async def test_a_close_that_is_not_known_to_be_whole_says_so_and_how_far_it_came(
    hubs: list[Hub], peers: Several, everywhere: Everywhere
):
    page = tab(hubs[1], "ada")
    peers.missing = ("lost1", "lost2")
    with pytest.raises(Incomplete, match="lost1, lost2 did not answer in time; 1 connections of the others were closed") as told:
        await everywhere.close(users("ada"), "signed out")
    assert ({"Retry-After": "2"}, (4409, "signed out")) == (told.value.headers, page.sink.closed_with)


async def test_revoked_tokens_are_noted_before_the_connections_are_closed(hubs: list[Hub], peers: Several, everywhere: Everywhere):
    page, other = tab(hubs[1], "ada"), tab(hubs[1], "bob")
    noted: list[RevokeTokens] = []
    answering = peers.by_node[hubs[1].returning.ids.node].__self__
    answering.note_revoked = lambda asked: noted.append(asked) if page.sink.closed_with is None else None
    until = utc_now()
    assert 1 == await everywhere.revoke("ada", until, "lost phone")
    assert [RevokeTokens("ada", until, "lost phone")] == noted
    assert [(4409, "lost phone"), None] == [one.sink.closed_with for one in (page, other)]
    peers.missing = ("lost",)
    with pytest.raises(Incomplete, match="lost did not answer in time; the tokens are revoked, and 0 connections of the others"):
        await everywhere.revoke("ada", until, "lost phone")


async def test_one_connection_is_found_and_closed_wherever_it_is(hubs: list[Hub], peers: Several, everywhere: Everywhere):
    peers.missing = ("lost",)
    page = tab(hubs[1], "ada")
    assert hubs[1].returning.ids.node == (await everywhere.connection(page.connection.id)).node
    await everywhere.close_one(page.connection.id)
    assert (4409, "closed by the back office") == page.sink.closed_with


CALLS: list[Callable[[Everywhere], Awaitable[object]]] = [
    lambda everywhere: everywhere.connection("unknown"),
    lambda everywhere: everywhere.close_one("unknown"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("missing", "wanted"), [((), NotFound), (("lost",), Incomplete)])
async def test_a_connection_is_said_to_be_missing_only_when_all_nodes_answered(
    peers: Several,
    everywhere: Everywhere,
    call: Callable[[Everywhere], Awaitable[object]],
    missing: tuple[str, ...],
    wanted: type[AppError],
):
    peers.missing = missing
    with pytest.raises(wanted):
        await call(everywhere)


async def test_a_receipt_is_the_sum_of_all_nodes(hubs: list[Hub], peers: Several, everywhere: Everywhere):
    for hub in (*hubs, hubs[1]):
        tab(hub)
    publication = one(everyone, Update("#a", "x"))
    for hub in hubs:
        await hub.publish(publication)
    assert (3, 3, None, ()) == await everywhere.receipt(publication.id)
    assert (2, 2, None) == told(await everywhere.receipt_of(publication.id, hubs[1].returning.ids.node))
    peers.missing = ("lost",)
    assert (3, 3, None, ("lost",)) == await everywhere.receipt(publication.id)


async def test_what_waits_for_its_turn_on_another_node_says_how_many_go_before_it(hubs: list[Hub], everywhere: Everywhere):
    queue = hubs[1].paced("slow", max_per_s=0.01)
    _, *ids = [queue.broadcast("#a", str(number)) for number in range(3)]  # the first one goes out at once
    await asyncio.sleep(0)
    assert [(0, 0, 0, ()), (0, 0, 1, ())] == [await everywhere.receipt(one) for one in ids]
    await queue.drain()


@pytest.mark.parametrize("publication_id", ["unknown", "0" * 32])
async def test_a_receipt_that_nobody_knows_is_missing_only_when_all_nodes_answered(
    peers: Several, everywhere: Everywhere, publication_id: str
):
    assert None is await everywhere.receipt(publication_id)
    peers.missing = ("lost",)
    with pytest.raises(Incomplete):
        await everywhere.receipt(publication_id)


async def test_a_publication_that_is_on_its_way_is_waited_for(hubs: list[Hub], everywhere: Everywhere):
    publication = one(everyone, Update("#a", "x"))
    tab(hubs[1])
    await hubs[0].publish(publication)

    async def later() -> Any:
        await hubs[1].publish(publication)

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(everywhere.receipt(publication.id))
        await asyncio.sleep(0)
        tasks.create_task(later())
    assert (1, 1, None, ()) == asked.result()


async def test_what_was_never_published_is_waited_for_a_moment_only(hubs: list[Hub], everywhere: Everywhere):
    assert None is await everywhere.receipt_of(new_short_id(), hubs[1].returning.ids.node)
    assert {} == hubs[1].receipts._awaited


async def test_a_node_that_is_alone_asks_itself():
    hub = make_hub()
    tab(hub, "ada")
    peers = Alone("node0001")
    everywhere = Everywhere(hub, peers)
    assert (1, 1, 1, ()) == await everywhere.count(everyone)
    assert (1, 1, 1, ()) == await everywhere.count(users("ada"))
    assert [] == (await everywhere.connections(connections("x"), limit=1)).items
    assert [] == (await everywhere.connections(everyone, limit=1, node="node0002")).items


def told(found: Any) -> tuple[int, int, int | None]:
    return found.matched, found.queued, found.waiting


async def test_of_an_audience_that_is_too_long_to_be_asked_of_others_the_users_here_are_counted(
    hubs: list[Hub], peers: Several, everywhere: Everywhere, monkeypatch: pytest.MonkeyPatch
):
    async def refuse(*_: object) -> None:
        raise InvalidFields([])

    for hub in hubs:
        for user_id in ("ada", "ada", None, hub.returning.ids.node):
            tab(hub, user_id)
    assert 3 == await everywhere.users_among(everyone)
    monkeypatch.setattr(peers, "ask", refuse)
    assert 2 == await everywhere.users_among(everyone)
