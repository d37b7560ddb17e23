"""What compression saves and costs, with HTML as sites send it and sockets that offer what browsers offer."""

import time
from functools import partial

from benchmarks.html import fragments
from benchmarks.load import listening
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario, Unavailable
from benchmarks.servers import checkout_of, serving

SOCKETS = 3_000
FRAGMENT_BYTES = 2_048
SETTLES_S = 2.0


def fan_out(bench: Bench, server: str, compression: str) -> Figures:
    """150 updates of 2 KB to everyone; the memory is that of idle sockets, before the first update."""
    if "compression:" not in (checkout_of(bench, server) / "app" / "settings.py").read_text():
        message = "this checkout has no WSX_COMPRESSION"
        raise Unavailable(message)
    bodies = str(fragments(bench, FRAGMENT_BYTES))
    with serving(bench, server, {"WSX_COMPRESSION": compression}) as running:
        before = running.process.rss_kib()
        with listening(bench, running, sockets=SOCKETS, browser=True, broadcasts=150, bytes=0, bodies=bodies) as sockets:
            time.sleep(SETTLES_S)
            idle = running.process.rss_kib()
            figures = sockets.go()
            after = running.process.rss_kib()
    return {
        "wire_bytes_each": figures["wire_bytes"] / figures["deliveries"],
        "server_us": figures["server_us_per_delivery"],
        "deliveries_per_s": figures["deliveries_per_s"],
        "kib_per_socket": (idle - before) / SOCKETS,
        "kib_per_socket_after": (after - before) / SOCKETS,
    }


DEFLATE = Scenario(
    "deflate",
    "Compression",
    "150 updates of 2 KB of HTML to 3,000 sockets that offer `permessage-deflate`, with and without it.",
    (
        Contestant("product, shared", "product", partial(fan_out, compression="shared")),
        Contestant("product, off", "product", partial(fan_out, compression="off")),
    ),
    (
        Column("wire_bytes_each", "bytes on the wire", 0),
        Column("server_us", "server µs per delivery", 2),
        Column("deliveries_per_s", "deliveries/s"),
        Column("kib_per_socket", "KiB/socket, idle", 2),
        Column("kib_per_socket_after", "KiB/socket, after", 2),
    ),
    tuple(
        Bar(f"2 KB of HTML, deflated: {what}", figure, "product, shared", "product, off", at_most=limit, minus=minus, digits=digits)
        for what, figure, limit, minus, digits in (
            ("bytes on the wire", "wire_bytes_each", 0.35, False, 0),
            ("server's µs per delivery", "server_us", 1.25, False, 2),
            ("further KiB per socket", "kib_per_socket_after", 4.0, True, 2),
        )
    ),
)
