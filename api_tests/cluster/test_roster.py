"""Who is on which node is known on all of them, and told once in the whole cluster."""

import pytest

from api_tests.cluster.nodes import Cluster, Node
from api_tests.cluster.wire import wire_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.cluster import clerk
from app.cluster.replica import STRETCH
from app.hub.audience import users

AN_HOUR_S = 3_600.0
SHORT_S = 0.2


@pytest.fixture
def cluster(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """With a grace that is over soon. Nodes look often, and the dead are known soon."""
    monkeypatch.setattr(clerk, "BEAT_S", 50 * MS)
    return Cluster(redis.url, SHORT_S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "DEAD_AFTER_S", 1.0)


async def told(cluster: Cluster, *what: str) -> None:
    """Just this was told, in this order."""
    await eventually(lambda: len(cluster.told) >= len(what))
    assert list(what) == cluster.told


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
        assert {"ada"} == b.roster.elsewhere({"ada", "bob"}) == b.hub.within_reach({"ada", "bob"})
        assert users("ada") == b.hub.without_absent(users("ada", "bob"))
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
            b.hub.within_reach({"ada", "bob"}),
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
            assert {"just left", "user-0"} == b.hub.within_reach({"just left", "user-0", "never here"})


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
        assert {"user-1"} == c.hub.within_reach({"user-1"})
        await eventually(lambda: len(cluster.told) == 2 * len(names) - 1)
        assert sorted(f"-{name}" for name in names[1:]) == sorted(cluster.told[len(names) :])
        await eventually(lambda: {"b", "c"} == {*b.roster.nodes} and len(c.roster._replica.books) == 1)


async def test_who_looks_after_a_dead_node_may_die_too(cluster: Cluster, quick: None):
    async with cluster.node("b") as b:
        async with cluster.node("a", is_killed=True) as a:
            a.tab("ada")
            async with cluster.node("c", is_killed=True) as c:
                c.tab("cleo")
                await b.knows("ada", "cleo")
                await eventually(lambda: ["+ada", "+cleo"] == sorted(cluster.told))
        await eventually(lambda: sorted(cluster.told) == ["+ada", "+cleo", "-ada", "-cleo"])


# -- misbehaving ---------------------------------------------------------------------------------------------------------
async def test_while_redis_stands_still_nothing_is_told_and_afterwards_it_is_made_good(
    cluster: Cluster, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.cluster.client.ANSWER_S", 100 * MS)
    async with cluster.node("a") as a, cluster.node("b") as b:
        page = a.tab("ada")
        await b.knows("ada")
        monkeypatch.setattr(clerk, "DEAD_AFTER_S", 300 * MS)
        redis.pause()
        await eventually(lambda: a.roster.is_stale and b.roster.is_stale)
        assert {"anybody"} == b.hub.within_reach({"anybody"})
        a.close(page)
        came, passing = b.tab("bob"), b.tab("passing")
        b.close(passing)
        assert b.hub.presence.is_online("bob")
        monkeypatch.setattr(clerk, "DEAD_AFTER_S", AN_HOUR_S)
        redis.resume()
        await eventually(lambda: len(cluster.told) >= 3)
        await a.knows("bob")
        await b.knows()
        assert ["+ada", "+bob", "-ada"] == sorted(one for one in cluster.told if "passing" not in one)
        assert set() == b.hub.within_reach({"anybody"})
        assert came.connection.closed_at is None


async def test_a_batch_whose_answer_was_lost_is_not_done_twice(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    async with cluster.node("a") as a, cluster.node("b") as b:
        change, failures = a.clerk._shelf.change, []

        async def losing(*how, **more):
            answer = await change(*how, **more)
            if len(failures) < 2:
                failures.append(answer)
                raise ConnectionResetError
            return answer

        monkeypatch.setattr(a.clerk._shelf, "change", losing)
        page = a.tab("ada")
        await b.knows("ada")
        await told(cluster, "+ada")
        failures.clear()
        a.close(page)
        await told(cluster, "+ada", "-ada")


@pytest.mark.parametrize("is_empty", [True, False])
async def test_a_redis_that_comes_back_learns_all_anew_and_nobody_is_told_twice(
    cluster: Cluster, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, is_empty: bool
):
    """With what it had, or with nothing. Meanwhile one came, one left, and one moved."""
    monkeypatch.setattr(clerk, "DEAD_AFTER_S", 2.0)
    async with cluster.node("a") as a, cluster.node("b") as b:
        leaves, moves = a.tab("leaves"), a.tab("moves")
        a.tab("stays")
        b.tab("stays")
        await b.knows("leaves", "moves", "stays")
        await a.knows("stays")
        await redis.stop()
        a.close(leaves)
        a.close(moves)
        b.tab("moves")
        b.tab("comes")
        await eventually(lambda: not {"leaves", "moves"} & a.hub.presence._online.keys())
        if is_empty:
            redis.empty()
        await redis.start()
        await eventually(lambda: "-leaves" in cluster.told)
        await a.knows("moves", "comes", "stays")
        await b.knows("stays")
        await eventually(lambda: not (a.roster._ledger.has_changed or b.roster._ledger.has_changed))
        assert ["+comes", "+leaves", "+moves", "+stays", "-leaves"] == sorted(cluster.told)
        await eventually(lambda: not b.hub.presence.is_online("leaves"))


async def test_a_listener_that_misses_something_reads_it_again(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    async with cluster.node("a") as a, cluster.node("b") as b:
        hear, deaf = b.clerk._hear, [True]
        monkeypatch.setattr(b.clerk, "_hear", lambda said: None if deaf[0] else hear(said))
        a.tab("unheard")
        await a.has_said_all()
        await eventually(lambda: "unheard" in b.roster._replica._on)  # found at a beat
        a.tab("unheard, too")
        await a.has_said_all()
        deaf[0] = False
        a.tab("heard")  # in a version that is not the next one
        await b.knows("unheard", "unheard, too", "heard")


async def test_a_listener_whose_connection_ends_listens_anew(cluster: Cluster, redis: RedisServer):
    async with cluster.node("a") as a, cluster.node("b") as b:
        a.tab("ada")
        await b.knows("ada")
        await redis.client.client_kill_filter(_type="pubsub")
        page = a.tab("bob")
        await b.knows("ada", "bob")
        a.close(page)
        await b.knows("ada")


async def test_a_node_that_is_cut_off_for_long_is_right_again_on_both_sides(
    cluster: Cluster, quick: None, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """The others were told that its users are offline, and are told that they are online again, but for who has left meanwhile."""
    monkeypatch.setattr("app.cluster.client.ANSWER_S", 100 * MS)
    async with wire_to(redis.port) as wire, cluster.node("b") as b, cluster.node("a", url=wire.url) as a:
        leaves = a.tab("leaves")
        a.tab("stays")
        goes = b.tab("goes")
        await a.knows("goes")
        await eventually(lambda: len(cluster.told) == 3)
        wire.cut()
        await eventually(lambda: len(cluster.told) == 5)
        assert {"-leaves", "-stays"} == set(cluster.told[3:])
        assert (True, {"goes"}, {"anybody"}) == (a.roster.is_stale, a.roster.elsewhere({"goes"}), a.hub.within_reach({"anybody"}))
        a.close(leaves)
        b.close(goes)
        b.tab("comes")
        await eventually(lambda: "leaves" not in a.hub.presence._online and len(cluster.told) == 7)
        wire.mend()
        await b.knows("stays")
        await a.knows("comes")
        await told(cluster, *cluster.told[:5], "+comes", "-goes", "+stays")
        assert (False, {"a", "b"}) == (a.roster.is_stale, set(b.roster.nodes))


async def test_a_start_without_redis_goes_on_and_finds_the_others_later(
    cluster: Cluster, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.cluster.roster.FIRST_S", 50 * MS)
    async with cluster.node("a") as a:
        a.tab("ada")
        await a.has_said_all()
        await redis.stop()
        async with cluster.node("b") as b:
            assert (True, {"anybody"}) == (b.roster.is_stale, b.hub.within_reach({"anybody"}))
            b.tab("bob")
            await redis.start()
            await b.knows("ada")
            await a.knows("bob")
            assert ["+ada", "+bob"] == cluster.told
            await redis.stop()
        await redis.start()
