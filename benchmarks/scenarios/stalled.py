"""Phones in tunnels: sockets that read nothing must cost the others no time, and the server no more memory than it was allowed."""

from functools import partial

from benchmarks.html import fragments
from benchmarks.load import Option, listening
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving
from benchmarks.tokens import tokens_for

READING = 9_000
STALLED = 1_000
GROUPS = 50
UPDATES_PER_S = 200
STALL_S = 60
FRAGMENT_BYTES = 2_048
OUTBOX_MIB = STALLED * 262_144 / 2**20
"""What `WSX_OUTBOX_BYTES` allows so many sockets by default."""


def publish_to_groups(bench: Bench, server: str, stalled: int) -> Figures:
    """Each update goes to one of the groups; a tenth of each group is stalled."""
    sockets = READING + stalled
    options: dict[str, Option] = {
        "tokens": str(tokens_for(bench, sockets, GROUPS)),
        "groups": GROUPS,
        "audience": '{"kind":"roles","names":["gGROUP"]}',
        "swap": "innerHTML,beforeend",
        "bodies": str(fragments(bench, FRAGMENT_BYTES)),
        "bytes": 0,
    }
    # a segment as on the Internet: with loopback's 64 KiB the kernel alone would take megabytes for each stalled socket
    stalling: dict[str, Option] = {"stalled": stalled, "stalled_bytes": 4_096, "stalled_segment": 1_400} if stalled else {}
    pace: dict[str, Option] = {
        "rate": UPDATES_PER_S,
        "broadcasts": UPDATES_PER_S * STALL_S,
        "warmup": UPDATES_PER_S,
        "publishers": 8,
        "timeout": 2 * STALL_S,
    }
    with (
        serving(bench, server) as running,
        listening(bench, running, sockets=sockets, **options, **stalling, **pace) as load,
    ):
        before = running.process.rss_kib()
        figures = dict(load.go())
        figures["grown_mib"] = (running.process.peak_kib() - before) / 1024
    if stalled:
        figures["woken_well"] = figures["woken_newest"] + figures["woken_1013"]
    return figures


STALLED_ONES = Scenario(
    "stalled",
    "Sockets that do not read",
    f"{UPDATES_PER_S} updates of 2 KB a second for {STALL_S} s, each to one of {GROUPS} groups of 200 of 10,000 signed-in sockets, "
    "which is about half of what the server can do. Half of the groups are sent updates that replace, the others updates that "
    "append. 1,000 of the sockets, a tenth of each group, read nothing until the end; beside it, the same without these. Latency "
    "counts from the time at which an update was due.",
    (
        Contestant("product, 1,000 stalled", "product", partial(publish_to_groups, stalled=STALLED)),
        Contestant("product, none stalled", "product", partial(publish_to_groups, stalled=0)),
    ),
    (
        Column("p99_ms", "p99 ms", 2),
        Column("p50_ms", "p50 ms", 2),
        Column("deliveries_per_s", "deliveries/s"),
        Column("server_busy", "server busy", 2),
        Column("grown_mib", "MiB grown", 1),
        Column("woken_newest", "woken: newest"),
        Column("woken_1013", "1013"),
        Column("woken_lost", "cut"),
        Column("woken_old", "old"),
    ),
    (
        Bar(
            "1,000 of 10,000 stalled: the others' p99, ms",
            "p99_ms",
            "product, 1,000 stalled",
            "product, none stalled",
            at_most=1.2,
            digits=2,
        ),
        Bar(
            "1,000 stalled: MiB that the server grew by (the outboxes' limit)",
            "grown_mib",
            "product, 1,000 stalled",
            at_most=OUTBOX_MIB,
            digits=1,
        ),
        Bar("1,000 stalled: have the newest, or were told 1013", "woken_well", "product, 1,000 stalled", at_least=STALLED),
    ),
)
