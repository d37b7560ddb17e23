"""Floods, against a server as it ships: limits hold, memory is bounded, and everybody else is served as before."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from api_tests.abuse.floods import flooding
from api_tests.abuse.victim import IS_LONG, MIB, Victim, victim
from api_tests.abuse.visitors import Visitors, visitors
from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.scene import p99
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS, eventually, eventually_told

VISITORS = 40 if IS_LONG else 8
BEFORE_S, DURING_S = (10.0, 20.0) if IS_LONG else (0.5, 1.0)
BASE_BYTES = (24 + 30) * MIB
"""What a server may grow by, whoever comes: caches that fill, pieces that the allocator keeps, sessions of 100,000 who left."""
EACH_BYTES = MIB // 8
"""And for each attacker: a read of 256 KiB, and what the limits of one socket allow."""
MAX_ADDED_S = 25 * MS
"""By how much the p99 of visitors may grow in the long form, where the flood has a core of its own: nobody sees so much."""

FEW = 10
ENDLESS = """
from app.serving.protocol import WsxProtocol

WsxProtocol._is_held_back = property(lambda socket: False)
"""
"""The product, as if it read on from those who do not read."""
UNLIMITED = """
from app.kernel.bucket import Bucket

Bucket.take = lambda bucket, per_s, burst: True
"""
"""The product, as if nobody were ever told that it is enough."""


class Flood(NamedTuple):
    """So many attackers, and what may happen to them."""

    name: str
    attackers: int
    outcomes: frozenset[str]
    """All that may be counted; and each of `surely` must be."""
    surely: frozenset[str]


def flood(name: str, few: int, many: int, *, surely: str, perhaps: str = "") -> Flood:
    """`surely`, `perhaps`: words between commas."""
    words, more = (frozenset(text.split(", ")) - {""} for text in (surely, perhaps))
    return Flood(name, many if IS_LONG else few, words | more, words)


FLOODS = (
    flood("pings", 10, 50, surely="connects, HTTP 101"),
    flood("messages", 4, 10, surely="connects, HTTP 101, rate_limited, closed 4429"),
    flood("rooms", 2, 10, surely="connects, HTTP 101, rate_limited, closed 4429", perhaps="too_many_rooms"),
    flood("handshakes", 4, 10, surely="connects, HTTP 101"),
    flood("half_handshakes", 100, 1_000, surely="cut" if IS_LONG else "", perhaps="cut"),
    flood("nasty_frames", 4, 10, surely="connects, closed 1009, closed 1007, closed 1002"),
    flood("heads", 4, 10, surely="HTTP 431"),
    flood("stalled", 20, 100, surely="connects, HTTP 101"),
    flood("downloads", 50, 100, surely="connects"),
)


async def nothing(_victim: Victim, _people: Visitors) -> None:
    """The flood alone."""


async def broadcast_on(victim: Victim, people: Visitors) -> None:
    """Tell all so much that who reads nothing is closed, and they alone."""
    html = "x" * 16_384
    async with ApiClient(victim.url, ADMIN_KEY) as api:

        async def only_visitors_are_left() -> bool:
            await api.broadcast(html, swap="beforeend")
            return len(people) == (await api.get("/connections/count")).json()["connections"]

        await eventually_told(only_visitors_are_left)


MEANWHILE: dict[str, Callable[[Victim, Visitors], Awaitable[None]]] = {"stalled": broadcast_on}


def complaints(log: str) -> list[str]:
    """Lines that tell of a mistake of ours."""
    levels = {"error", "critical", "exception"}
    return [line for line in log.splitlines() if "Traceback" in line or json.loads(line).get("level") in levels]


@pytest.mark.parametrize("flood", FLOODS, ids=[flood.name for flood in FLOODS])
async def test_a_flood_costs_a_bounded_memory_and_nobody_else_is_disturbed(
    server_under_abuse: Victim, flood: Flood, report: Callable[[str], None], figures: Figures
) -> None:
    abused = server_under_abuse
    sockets_before, log_before = abused.sockets(), len(abused.log)
    with figures.bars(f"A-{flood.name}") as found:
        async with visitors(abused.url, VISITORS) as people:
            before = await people.waits_s(BEFORE_S)
            rss = abused.forget_peak()
            async with flooding(flood.name, abused.port, flood.attackers, flood.surely) as happened:
                await eventually(lambda: abused.sockets() > sockets_before + VISITORS)
                during, _ = await asyncio.gather(people.waits_s(DURING_S), MEANWHILE.get(flood.name, nothing)(abused, people))
            grown = abused.peak_bytes() - rss
            disturbed = [visitor for visitor in people if visitor.was_disturbed]
        report(
            f"{flood.name}, {flood.attackers} attackers: visitors' p50 {median(before) / MS:.1f} -> {median(during) / MS:.1f} ms, "
            f"p99 {p99(before) / MS:.1f} -> {p99(during) / MS:.1f} ms; {grown / MIB:.1f} MiB more; {dict(happened)}"
        )
        found.update(
            {
                "MiB more": grown / MIB,
                "others' p99 before ms": p99(before) / MS,
                "others' p99 in it ms": p99(during) / MS,
                "happened": ", ".join(f"{count:,} times {what}" for what, count in happened.items()),
            }
        )
        assert flood.surely <= happened.keys() <= flood.outcomes, happened
        assert [] == disturbed
        assert grown <= BASE_BYTES + EACH_BYTES * flood.attackers
        assert [] == complaints(abused.log[log_before:])
        await eventually(lambda: abused.sockets() <= sockets_before)
        if IS_LONG:
            assert p99(during) <= p99(before) + MAX_ADDED_S


async def test_a_server_that_answers_those_who_do_not_read_is_found_out(tmp_path: Path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    async with victim(Operator(tmp_path), handlers="endless") as broken:
        rss = broken.forget_peak()
        async with flooding("pings", broken.port, FEW):
            await eventually(lambda: broken.peak_bytes() - rss > BASE_BYTES + EACH_BYTES * FEW)


async def test_a_server_without_a_limit_of_messages_is_found_out(tmp_path: Path):
    (tmp_path / "unlimited.py").write_text(UNLIMITED)
    async with victim(Operator(tmp_path), handlers="unlimited") as broken, visitors(broken.url, 1) as people:
        async with flooding("messages", broken.port, 1) as happened:
            await people.waits_s(DURING_S)
        assert not next(flood.surely for flood in FLOODS if flood.name == "messages") <= happened.keys()
