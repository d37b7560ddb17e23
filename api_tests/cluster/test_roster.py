"""Who is on which node is known on all of them, and told once in the whole cluster."""

from collections.abc import Callable

import pytest

from api_tests.cluster.nodes import Cluster, Node, told
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.cluster import clerk
from app.cluster.replica import STRETCH
from app.hub.audience import users

AN_HOUR_S = 3_600.0


async def the_grace_is_over(node: Node) -> None:
    """Return when the grace of all who left before this call is over, and Redis has answered."""
    before = len(node.told)
    node.close(node.tab("the last"))
    await eventually(lambda: "-the last" in node.told[before:])
    node.told[:] = [one for one in node.told if not one.endswith("the last")]


async def test_each_node_knows_who_is_on_the_others_and_the_first_connection_is_told_once(cluster: Cluster):
    async with cluster.node("a") as a, cluster.node("b") as b:
        page = a.tab("ada")
        a.tab("ada")
        await b.knows("ada")
        await eventually(lambda: b.roster.connections_elsewhere("ada") == 2)
        assert (True, None) == (b.hub.presence.is_online("ada"), b.hub.presence.absent_since("ada"))
        assert {"ada"} == b.roster.elsewhere({"ada", "bob"}) == b.hub.reach.within({"ada", "bob"})
        assert users("ada") == b.hub.reach.without_absent(users("ada", "bob"))
        assert ({"a", "b"}, 1, 0) == (set(b.roster.nodes), b.roster.users_elsewhere, a.roster.users_elsewhere)
        b.tab("ada")
        await a.knows("ada")
        a.close(page)
        await eventually(lambda: b.roster.connections_elsewhere("ada") == 1)
        await told(cluster, "+ada")


async def test_a_user_with_pages_on_two_nodes_is_offline_when_both_are_gone(cluster: Cluster):
    async with cluster.node("a") as a, cluster.node("b") as b:
        here, there = a.tab("ada"), b.tab("ada")
        await a.knows("ada")
        await b.knows("ada")
        a.close(here)
        await b.knows()
        await the_grace_is_over(a)
        assert (["+ada"], True) == (cluster.told, a.hub.presence.is_online("ada"))
        b.close(there)
        await told(cluster, "+ada", "-ada")
        await eventually(lambda: not a.hub.presence.is_online("ada"))
        assert not b.hub.presence.is_online("ada")


async def test_who_moves_to_another_node_within_the_grace_was_never_away(cluster: Cluster):
    async with cluster.node("a") as a, cluster.node("b") as b:
        for _ in range(5):
            a.close(a.tab("ada"))
            b.close(b.tab("ada"))
        page = b.tab("ada")
        await the_grace_is_over(a)
        await the_grace_is_over(b)
        assert ["+ada"] == cluster.told
        b.close(page)
        await told(cluster, "+ada", "-ada")


async def test_who_comes_to_both_nodes_at_once_is_told_of_once(cluster: Cluster):
    names = [f"user-{number}" for number in range(500)]
    async with cluster.node("a") as a, cluster.node("b") as b:
        pages = [(node, node.tab(name)) for name in names for node in (a, b)]
        await a.knows(*names)
        await b.knows(*names)
        assert sorted(f"+{name}" for name in names) == sorted(cluster.told)
        for node, page in pages:
            node.close(page)
        await eventually(lambda: len(cluster.told) == 1_000)
        assert sorted(f"-{name}" for name in names) == sorted(cluster.told[500:])
        await eventually(lambda: not a.roster._replica.is_online("user-0"))


async def test_within_the_grace_others_know_since_when_a_user_is_away(redis: RedisServer):
    async with Cluster(redis.url, AN_HOUR_S).node("a") as a, Cluster(redis.url, AN_HOUR_S).node("b") as b:
        a.close(a.tab("ada"))
        since = a.hub.presence.absent_since("ada")
        await eventually(lambda: b.hub.presence.is_online("ada"))
        assert abs((since - b.hub.presence.absent_since("ada")).total_seconds()) < 1 * MS
        assert (0, set(), {"ada"}) == (
            b.roster.connections_elsewhere("ada"),
            b.roster.elsewhere({"ada"}),
            b.hub.reach.within({"ada", "bob"}),
        )
        page = b.tab("ada")
        assert b.hub.presence.absent_since("ada") is None
        b.close(page)
        assert b.hub.presence.absent_since("ada") > since


async def test_a_node_that_comes_late_knows_all_and_also_who_has_just_left(cluster: Cluster):
    names = [f"user-{number}" for number in range(3 * STRETCH)]
    async with cluster.node("a") as a:
        for name in names:
            a.tab(name)
        a.close(a.tab("just left"))
        await a.has_said_all()
        async with cluster.node("b") as b:
            assert set(names) == b.roster._replica._on.keys()
            assert {"just left", "user-0"} == b.hub.reach.within({"just left", "user-0", "never here"})


async def test_admins_on_other_nodes_are_counted(cluster: Cluster):
    async with cluster.node("a") as a, cluster.node("b") as b:
        page = a.tab("ada", "admin")
        await eventually(lambda: (a.roster.admins_elsewhere, b.roster.admins_elsewhere) == (0, 1))
        a.close(page)
        await eventually(lambda: b.roster.admins_elsewhere == 0)


async def test_users_of_a_node_that_stops_are_offline_unless_they_come_to_another_in_time(cluster: Cluster):
    async with cluster.node("b") as b:
        async with cluster.node("a") as a:
            for name in ("ada", "bob", "cleo"):
                a.tab(name)
            b.tab("ada")
            await b.knows("ada", "bob", "cleo")
        b.tab("bob")
        await told(cluster, "+ada", "+bob", "+cleo", "-cleo")
        await eventually(lambda: set(b.roster.nodes) == {"b"})
        await the_grace_is_over(b)
        assert 4 == len(cluster.told)
        await eventually(lambda: not b.roster._replica.books)


async def test_users_of_a_node_that_is_killed_are_offline_after_a_while_told_by_one_of_the_others(cluster: Cluster, quick: None):
    async with cluster.node("b") as b, cluster.node("c") as c:
        async with cluster.node("a", is_killed=True) as a:
            names = [f"user-{number}" for number in range(2 * STRETCH)]
            for name in names:
                a.tab(name)
            b.tab(names[0])
            await c.knows(*names)
        await c.knows(names[0])
        assert {"user-1"} == c.hub.reach.within({"user-1"})
        await eventually(lambda: len(cluster.told) == 2 * len(names) - 1)
        assert sorted(f"-{name}" for name in names[1:]) == sorted(cluster.told[len(names) :])
        await eventually(lambda: {"b", "c"} == {*b.roster.nodes} and len(c.roster._replica.books) == 1)


async def test_a_node_that_comes_is_known_before_the_next_beat_with_what_it_says_of_itself(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clerk, "BEAT_S", AN_HOUR_S)
    async with cluster.node("b") as b, cluster.node("a") as a:
        await eventually(lambda: {"a", "b"} == set(b.roster.nodes) == set(a.roster.nodes))
        assert a.roster.has_database_elsewhere
        await eventually(lambda: b.roster.has_database_elsewhere)


async def test_a_look_that_is_asked_for_during_a_beat_is_another_one(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clerk, "BEAT_S", AN_HOUR_S)
    async with cluster.node("b") as b:
        beat, beats = b.clerk._shelf.beat, []

        async def beat_and_hear_of_another(*args: object, **how: object) -> object:
            beats.append(await beat(*args, **how))
            if len(beats) == 1:
                b.clerk._hear(b"")
            return beats[-1]

        monkeypatch.setattr(b.clerk._shelf, "beat", beat_and_hear_of_another)
        b.clerk._look_now()
        await eventually(lambda: 2 == len(beats))


@pytest.mark.parametrize(("heard_s", "is_missed"), [(0.0, True), (AN_HOUR_S, False)])
async def test_what_was_said_a_moment_ago_is_not_missed_though_beats_come_shortly_one_after_the_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, heard_s: float, is_missed: bool
):
    monkeypatch.setattr(clerk, "HEARD_S", heard_s)
    async with cluster.node("b") as b, cluster.node("a") as a:
        a.tab("ada")
        await b.knows("ada")
        (book,) = b.roster._replica.books.values()
        subscribed, beaten = b.clerk.deafness.is_over, b.clerk._shelf.beat
        anew, beats = [], []
        monkeypatch.setattr(b.clerk.deafness, "is_over", lambda: anew.append(subscribed()))
        monkeypatch.setattr(b.clerk._shelf, "beat", lambda *args, **how: beats.append(1) or beaten(*args, **how))
        book.version -= 1  # as if the last change was on its way
        for number in range(1, 4):
            b.clerk._look_now()
            await eventually(lambda number=number: number <= len(beats))
        await eventually(lambda: anew or not is_missed)
        assert is_missed == bool(anew)


async def test_a_node_that_left_is_no_alarm_and_who_comes_later_is_told_of_none(
    cluster: Cluster, quick: None, logged: Callable[[], str]
):
    async with cluster.node("b") as b:
        async with cluster.node("a"):
            await eventually(lambda: set(b.roster.nodes) == {"a", "b"})
        await eventually(lambda: set(b.roster.nodes) == {"b"})
        said = logged()
        assert (1, 0) == (said.count('"event":"a node has left"'), said.count("a node is gone"))
        async with cluster.node("c", is_killed=True) as c:
            c.tab("cleo")
            await b.knows("cleo")
        await b.knows()
        said = logged()
        assert (0, 1) == (said.count("a node has left"), said.count('"event":"a node is gone"'))
        async with cluster.node("d") as d:
            await eventually(lambda: any(book.node == "c" for book in d.roster._replica.books.values()))
            await eventually(lambda: set(d.roster.nodes) == {"b", "d"})
            assert "a node is gone" not in logged()


async def test_who_looks_after_a_dead_node_may_die_too(cluster: Cluster, quick: None):
    async with cluster.node("b") as b:
        async with cluster.node("a", is_killed=True) as a:
            a.tab("ada")
            async with cluster.node("c", is_killed=True) as c:
                c.tab("cleo")
                await b.knows("ada", "cleo")
                await eventually(lambda: ["+ada", "+cleo"] == sorted(cluster.told))
        await eventually(lambda: sorted(cluster.told) == ["+ada", "+cleo", "-ada", "-cleo"])


async def test_another_site_in_another_database_of_the_same_redis_is_not_heard(redis: RedisServer, cluster: Cluster):
    other_site = Cluster(redis.url.removesuffix("/0") + "/1", AN_HOUR_S)
    async with cluster.node("a") as a, other_site.node("x") as x, other_site.node("y") as y:
        x.tab("ada")
        await y.knows("ada")  # so it was told to all who listen
        assert (set(), {"a"}) == (a.roster.elsewhere({"ada"}), set(a.roster.nodes))
        assert set() == a.roster.may_be_elsewhere({"ada"})
