"""Two nodes in place of one: what the way through Redis adds, in time and in processor seconds."""

from collections.abc import Sequence

from benchmarks.load import listening
from benchmarks.process import Process
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import Server, serving
from benchmarks.stores import postgresql, redis

SOCKETS = 4_000
UPDATES_PER_S = 10
UPDATES = 200
LOAD: dict[str, int] = {"sockets": SOCKETS, "rate": UPDATES_PER_S, "broadcasts": UPDATES, "warmup": 20}


def one_node(bench: Bench, server: str) -> Figures:
    """All sockets on one node, without Redis."""
    with postgresql(bench) as url, serving(bench, server, {"WSX_DATABASE_URL": url}) as node:
        return _publish(bench, [node])


def two_nodes(bench: Bench, server: str) -> Figures:
    """Every other socket on the second node; all updates are published on the first."""
    with postgresql(bench) as url, redis(bench) as (redis_url, store):
        shared = {"WSX_DATABASE_URL": url, "WSX_REDIS_URL": redis_url}
        with serving(bench, server, shared) as first, serving(bench, server, shared) as second:
            return _publish(bench, [first, second], store)


def _publish(bench: Bench, nodes: Sequence[Server], store: Process | None = None) -> Figures:
    with listening(bench, nodes[0], second_port=nodes[1].port if len(nodes) > 1 else 0, **LOAD) as load:
        measured = [[node.process for node in nodes], [store] if store is not None else []]
        before_s = [sum(process.cpu_s() for process in group) for group in measured]
        figures = load.go()
        spent_s = [sum(process.cpu_s() for process in group) - before for group, before in zip(measured, before_s, strict=True)]
    cpu_us, store_us = (seconds * 1e6 / figures["deliveries"] for seconds in spent_s)
    return {**figures, "cpu_us": cpu_us, "store_us": store_us}


TWO_NODES = Scenario(
    "cluster",
    "Two nodes and Redis",
    f"{UPDATES_PER_S} updates a second to {SOCKETS:,} sockets, published on one node: all sockets on that node, without Redis; or "
    "half of them on a second node, with Redis. PostgreSQL with both. The nodes share one core, the load and Redis the other. "
    "Processor time is that of all nodes, from the first update to the last delivery.",
    (Contestant("product, two nodes", "product", two_nodes), Contestant("product, one node", "product", one_node)),
    (
        Column("p99_ms", "p99 ms", 2),
        Column("p50_ms", "p50 ms", 2),
        Column("cpu_us", "nodes' µs per delivery", 2),
        Column("store_us", "Redis's", 2),
        Column("deliveries_per_s", "deliveries/s"),
    ),
    (
        Bar(
            "two nodes: further ms until delivery, p99",
            "p99_ms",
            "product, two nodes",
            "product, one node",
            at_most=10.0,
            minus=True,
            digits=2,
        ),
        Bar("two nodes: processor time per delivery", "cpu_us", "product, two nodes", "product, one node", at_most=1.15, digits=2),
    ),
)
