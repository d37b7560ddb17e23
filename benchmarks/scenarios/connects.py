"""After a restart all browsers come back at once: how fast are they taken in?"""

from functools import partial

from benchmarks.load import publish
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving
from benchmarks.tokens import tokens_for

SOCKETS = 5_000
ORIGINAL = "WSX on Express"


def connect(bench: Bench, server: str, *, signed_in: bool = False) -> Figures:
    who = {"tokens": str(tokens_for(bench, SOCKETS))} if signed_in else {}
    with serving(bench, server) as running:
        return publish(bench, running, sockets=SOCKETS, browser=True, broadcasts=0, **who)


CONNECTS = Scenario(
    "connects",
    "Connects",
    "5,000 handshakes with a browser's headers, 256 of them under way at any time; none may be refused.",
    (
        Contestant("product", "product", connect),
        Contestant(ORIGINAL, "express_sockets", connect),
        Contestant("product, signed in", "product", partial(connect, signed_in=True)),
    ),
    (Column("connects_per_s", "connects/s"), Column("handshake_p99_ms", "handshake p99 ms", 1)),
    (
        Bar("5,000 connects: per second", "connects_per_s", at_least=5_000),
        Bar("5,000 connects: per second", "connects_per_s", peer=ORIGINAL, at_least=1.0),
        Bar("5,000 connects, signed in: per second", "connects_per_s", mine="product, signed in", peer=ORIGINAL, at_least=1.0),
    ),
)
