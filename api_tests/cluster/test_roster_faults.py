"""A Redis that stands still, ends, or comes back empty; a listener that misses something; a node that is cut off."""

import pytest

from api_tests.cluster.nodes import Cluster, told
from api_tests.cluster.wire import wire_to
from api_tests.redis_server import RedisServer
from api_tests.waiting import MS, eventually
from app.cluster import clerk

AN_HOUR_S = 3_600.0


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
        assert {"anybody"} == b.hub.reach.within({"anybody"})
        a.close(page)
        came, passing = b.tab("bob"), b.tab("passing")
        b.close(passing)
        assert b.hub.presence.is_online("bob")
        monkeypatch.setattr(clerk, "DEAD_AFTER_S", AN_HOUR_S)
        redis.resume()
        await eventually(lambda: "-ada" in cluster.told)
        await a.knows("bob")
        await b.knows()
        assert ["+ada", "+bob", "-ada"] == sorted(one for one in cluster.told if "passing" not in one)
        assert set() == b.hub.reach.within({"anybody"})
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
        assert (True, {"goes"}, {"anybody"}) == (a.roster.is_stale, a.roster.elsewhere({"goes"}), a.hub.reach.within({"anybody"}))
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
            assert (True, {"anybody"}) == (b.roster.is_stale, b.hub.reach.within({"anybody"}))
            b.tab("bob")
            await redis.start()
            await b.knows("ada")
            await a.knows("bob")
            await told(cluster, "+ada", "+bob")
            await redis.stop()
        await redis.start()
