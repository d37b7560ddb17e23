"""The numbers of two nodes: which of them add up, and which every node tells of both."""

from api_tests.cluster.services import Node, run_services
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually
from app.hub.audience import everyone
from app.hub.publication import one
from app.monitoring.hub import HubCollector
from app.settings import Settings
from app.wire.update import Update


def numbers(node: Node) -> dict[str, float]:
    """Of each name the sum over its labels."""
    found: dict[str, float] = {}
    for metric in HubCollector(node.hub, node.services.lease).collect():
        for sample in metric.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def test_pages_and_deliveries_add_up_and_users_and_publications_are_told_by_each_node(settings: Settings, redis: RedisServer):
    async with run_services(settings, redis.url, "a", "b") as (a, b):
        for node, user_id in ((a, "ada"), (a, "bob"), (b, "bob"), (b, "cleo")):
            node.tab(user_id)
        for node, elsewhere in ((a, ("bob", "cleo")), (b, ("ada", "bob"))):
            await node.knows(*elsewhere)
        before = [numbers(node) for node in (a, b)]
        for node in (a, b):
            await node.hub.publish(one(everyone, Update("#a", "x", "beforeend")))
        await eventually(lambda: all(numbers(node)["wsx_journal_entries_total"] >= 2 for node in (a, b)))
        seen = [numbers(node) for node in (a, b)]
        grown = [{name: now[name] - then[name] for name in now} for then, now in zip(before, seen, strict=True)]
        assert [2, 2] == [one_of["wsx_connections"] for one_of in seen]
        assert [4, 4] == [one_of["wsx_deliveries_total"] for one_of in grown]
        assert [2, 2] == [one_of["wsx_journal_entries_total"] for one_of in grown]
        assert [2, 2] == [one_of["wsx_nodes"] for one_of in seen]
        assert [2, 2] == [one_of["wsx_users_online"] for one_of in seen]  # four together: bob is on both
        assert [2, 2] == [one_of["wsx_users_elsewhere"] for one_of in seen]
        assert [3, 3] == [one_of["wsx_cluster_users_online"] for one_of in seen]


async def test_who_has_just_left_another_node_is_online_until_the_grace_is_over(settings: Settings, redis: RedisServer):
    async with run_services(settings, redis.url, "a", "b") as (a, b):
        page = b.tab("cleo")
        await a.knows("cleo")
        b.close(page)
        await a.knows()
        assert (1, 0) == tuple(numbers(a)[name] for name in ("wsx_cluster_users_online", "wsx_users_elsewhere"))
        assert 1 == numbers(b)["wsx_cluster_users_online"]
