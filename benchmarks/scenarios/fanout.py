"""One update to everyone: how many deliveries a second, beside a loop that only writes, and beside servers made for it."""

from functools import partial

from benchmarks.load import publish
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving

GREETING = {"centrifuge": '{"id":1,"params":{}}'}
"""What a client says first where the protocol wants it to."""

COLUMNS = (
    Column("deliveries_per_s", "deliveries/s"),
    Column("p50_ms", "p50 ms", 2),
    Column("p99_ms", "p99 ms", 2),
    Column("load_busy", "load busy", 2),
)


def fan_out(bench: Bench, server: str, sockets: int, broadcasts: int, publishers: int = 1) -> Figures:
    """A closed loop: each publisher sends its next update when the last one is answered."""
    greeting = {"says": GREETING[server]} if server in GREETING else {}
    with serving(bench, server) as running:
        return publish(bench, running, sockets=sockets, broadcasts=broadcasts, publishers=publishers, **greeting)


def contestants(names: tuple[str, ...], sockets: int, broadcasts: int, publishers: int = 1) -> tuple[Contestant, ...]:
    run = partial(fan_out, sockets=sockets, broadcasts=broadcasts, publishers=publishers)
    return tuple(Contestant(name, name, run) for name in names)


def many_sockets(bench: Bench, server: str) -> Figures:
    """Two loads: updates as fast as they are answered, and each only when the one before has arrived everywhere."""
    busy = fan_out(bench, server, sockets=10_000, broadcasts=100)
    with serving(bench, server) as running:
        calm = publish(bench, running, sockets=10_000, broadcasts=60, warmup=5, one_by_one=True)
    return {**busy, "calm_p50_ms": calm["p50_ms"], "calm_p99_ms": calm["p99_ms"]}


ONE_PUBLISHER = Scenario(
    "fanout",
    "One publisher, 1,000 sockets",
    "400 updates to everyone, each sent when the one before is answered.",
    contestants(("product", "floor", "socketify"), 1_000, 400),
    COLUMNS,
    (
        Bar("one publisher, 1,000 sockets: deliveries/s", "deliveries_per_s", peer="floor", at_least=0.80),
        Bar("one publisher, 1,000 sockets: deliveries/s", "deliveries_per_s", peer="socketify", at_least=1.0),
    ),
)

TEN_THOUSAND = Scenario(
    "fanout-10k",
    "One publisher, 10,000 sockets",
    "100 updates to everyone, each sent when the one before is answered; then, for the calm latencies, 60 updates, each sent when "
    "the one before has arrived everywhere.",
    tuple(Contestant(name, name, many_sockets) for name in ("product", "floor")),
    (*COLUMNS, Column("calm_p50_ms", "calm p50 ms", 2), Column("calm_p99_ms", "calm p99 ms", 2)),
    (
        Bar("one publisher, 10,000 sockets: deliveries/s", "deliveries_per_s", peer="floor", at_least=0.70),
        Bar("one publisher, 10,000 sockets: p99 of a delivery, ms", "p99_ms", peer="floor", at_most=1.3, digits=1),
        Bar("the same, each update sent when the last has arrived", "calm_p99_ms", peer="floor", at_most=1.3, digits=1),
    ),
)

MANY_PUBLISHERS = Scenario(
    "publishers",
    "32 publishers at once, 1,000 sockets",
    "1,600 updates to everyone by 32 connections, each of which sends its next update when its last one is answered.",
    contestants(("product", "floor", "centrifuge", "socketify"), 1_000, 1_600, 32),
    COLUMNS,
    (
        Bar("32 publishers, 1,000 sockets: deliveries/s", "deliveries_per_s", peer="floor", at_least=5.0),
        Bar("32 publishers, 1,000 sockets: deliveries/s", "deliveries_per_s", peer="centrifuge", at_least=2.5),
        Bar("32 publishers, 1,000 sockets: deliveries/s (the aim)", "deliveries_per_s", peer="socketify", at_least=1.0),
    ),
)
