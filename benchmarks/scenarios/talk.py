"""A lively room: what people say over their sockets is escaped, stored, published, heard by all in the room, and answered."""

from benchmarks.load import publish
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving
from benchmarks.tokens import tokens_for

IN_ROOM = 100
TALKERS = 64
UNLIMITED = {"WSX_SOCKET_RATE_PER_S": "1000000", "WSX_SOCKET_BURST": "1000000"}


def talk(bench: Bench, server: str, talkers: int = TALKERS, messages: int = 20_000) -> Figures:
    """All join the room; the talkers among them each say the next thing when the last one is answered."""
    with serving(bench, server, UNLIMITED) as running:
        figures = publish(
            bench,
            running,
            sockets=IN_ROOM,
            tokens=str(tokens_for(bench, IN_ROOM)),
            says='{"id":"join","handler":"join-room","target":"#x","data":{"roomId":"bench"}}',
            room="bench",
            talkers=talkers,
            broadcasts=messages,
            warmup=messages // 10,
            bytes=450,
        )
    return {**figures, "messages_per_s": figures["deliveries_per_s"] / IN_ROOM}


TALK = Scenario(
    "talk",
    "A lively room: 64 of 100 talk",
    "20,000 messages over 64 sockets, each of which says the next thing when its last one is stored and answered. All 100 in the "
    "room hear each of them.",
    (Contestant("product", "product", talk),),
    (
        Column("messages_per_s", "messages/s"),
        Column("deliveries_per_s", "deliveries/s"),
        Column("p50_ms", "p50 ms", 2),
        Column("p99_ms", "p99 ms", 2),
        Column("server_busy", "server busy", 2),
        Column("load_busy", "load busy", 2),
    ),
    (Bar("a room of 100, the whole path: messages/s", "messages_per_s", at_least=3_000),),
)
