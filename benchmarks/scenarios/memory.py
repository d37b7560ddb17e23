"""Idle sockets: most of the sockets of a broadcast server, most of the time."""

import time
from functools import partial

from benchmarks.load import listening
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving
from benchmarks.tokens import tokens_for

SOCKETS = 10_000
SETTLES_S = 4.0


def hold_idle(bench: Bench, server: str, *, signed_in: bool) -> Figures:
    """The server's memory before the first socket, and when all are open and nothing has happened for some seconds."""
    who = {"tokens": str(tokens_for(bench, SOCKETS))} if signed_in else {}
    with serving(bench, server) as running:
        before = running.process.rss_kib()
        with listening(bench, running, sockets=SOCKETS, browser=True, broadcasts=0, **who):
            time.sleep(SETTLES_S)
            after = running.process.rss_kib()
    return {"before_mib": before / 1024, "after_mib": after / 1024, "kib_per_socket": (after - before) / SOCKETS}


MEMORY = Scenario(
    "memory",
    "Memory of idle sockets",
    "10,000 idle sockets, each signed in as a user of its own; resident memory of the server before and after.",
    (
        Contestant("product", "product", partial(hold_idle, signed_in=True)),
        Contestant("WSX on Express", "express_sockets", partial(hold_idle, signed_in=False)),
    ),
    (
        Column("kib_per_socket", "KiB/socket", 2),
        Column("before_mib", "MiB before", 1),
        Column("after_mib", "MiB after", 1),
    ),
    (Bar("10,000 idle signed-in sockets: KiB each", "kib_per_socket", at_most=10, digits=2),),
)
