"""A room of ten: finding its members must not cost more among many connections than among few."""

from functools import partial

from benchmarks.load import publish
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving
from benchmarks.tokens import tokens_for

MEMBERS = 10


def publish_to_room(bench: Bench, server: str, sockets: int) -> Figures:
    """The first ten of all signed-in users join a room, and hear each update alone."""
    with serving(bench, server) as running:
        return publish(
            bench,
            running,
            sockets=sockets,
            tokens=str(tokens_for(bench, sockets)),
            hearers=MEMBERS,
            says='{"id":"join","handler":"join-room","target":"#x","data":{"roomId":"bench"}}',
            audience='{"kind":"rooms","ids":["bench"]}',
            broadcasts=1_000,
            warmup=100,
            one_by_one=True,
        )


ROOM = Scenario(
    "room",
    "A room of 10",
    "1,000 updates to the room, each sent when the one before has arrived at all ten.",
    (
        Contestant("product, 10,000 sockets", "product", partial(publish_to_room, sockets=10_000)),
        Contestant("product, 100 sockets", "product", partial(publish_to_room, sockets=100)),
    ),
    (Column("complete_p50_ms", "last delivery p50 ms", 3), Column("complete_p99_ms", "last delivery p99 ms", 3)),
    (
        Bar(
            "a room of 10 among 10,000: publish to last delivery, ms",
            "complete_p50_ms",
            mine="product, 10,000 sockets",
            peer="product, 100 sockets",
            at_most=1.5,
            digits=2,
        ),
    ),
)
