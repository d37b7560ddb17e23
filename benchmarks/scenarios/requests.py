"""A broadcast that nobody hears: what the REST path costs alone, beside a route that does nothing but parse and answer."""

import json

from benchmarks.load import Option, request
from benchmarks.scenario import Bar, Bench, Column, Contestant, Figures, Scenario
from benchmarks.servers import serving

BODY = {
    "audience": {"kind": "users", "ids": ["nobody"]},
    "target": "#cart",
    "html": "<p>Your order is on its way.</p>",
    "swap": "innerHTML",
}


def broadcast_to_nobody(bench: Bench, server: str) -> Figures:
    with serving(bench, server) as running:
        post = json.dumps(BODY, separators=(",", ":"))
        options: dict[str, Option] = {"path": "/api/v1/broadcasts", "post": post, "status": 202}
        return request(bench, running, connections=32, requests=30_000, warmup=3_000, **options)


REQUESTS = Scenario(
    "requests",
    "Broadcasts to nobody",
    "30,000 POSTs over 32 connections, each of which sends its next request when its last one is answered.",
    (
        Contestant("product", "product", broadcast_to_nobody),
        Contestant("Express", "express_route", broadcast_to_nobody),
    ),
    (
        Column("requests_per_s", "requests/s"),
        Column("p50_ms", "p50 ms", 2),
        Column("p99_ms", "p99 ms", 2),
        Column("load_busy", "load busy", 2),
    ),
    (Bar("POST /broadcasts to nobody: requests/s", "requests_per_s", peer="Express", at_least=1.0),),
)
