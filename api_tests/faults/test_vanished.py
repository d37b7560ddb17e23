"""R8: a thousand pages vanish without a word, as the cable is pulled. Soon their sockets are gone and their users offline."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from api_tests.abuse.victim import MIB, Victim, victim
from api_tests.abuse.visitors import visitors
from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.far import Cable, far_machine, far_pages
from api_tests.faults.leaving import gone_s
from api_tests.faults.scene import IS_LONG
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S, eventually
from app.kernel.clock import monotonic

MANY, VISITORS = (1_000, 8) if IS_LONG else (40, 2)
GONE_WITHIN_S = 60.0 if IS_LONG else SOON_S
QUICK = {"ping_interval_s": "0.5", "ping_timeout_s": "1", "presence_grace_s": "0.2"}
"""The short form: silence is noticed after 1.5 s, not after 35 s."""
MAX_LEFT_BYTES = (4 if IS_LONG else 8) * MIB
"""What the second thousand may add to the memory that the first one took: as good as nothing of 1,000 connections and 7 MiB."""
TELLS = """
from app import wsx

@wsx.events.on("user.offline")
def tell(user):
    with open("offline", "a") as told:
        told.write(f"{user.id} ")
"""
DEAF = """
from app.serving.protocol import WsxProtocol

WsxProtocol.check_pong = lambda socket: None
"""
"""The product, as if every ping were answered."""


@pytest.fixture
def cable() -> Iterator[Cable]:
    with far_machine() as laid:
        yield laid


class Gone(NamedTuple):
    """How long it took, in seconds, since the cable was pulled."""

    uncounted_s: float
    closed_s: float
    offline_s: float
    rss_bytes: int


@asynccontextmanager
async def server(operator: Operator, cable: Cable, *handlers: str) -> AsyncIterator[Victim]:
    (operator.folder / "tells.py").write_text(TELLS)
    how = {} if IS_LONG else QUICK
    async with victim(operator, host=cable.address, handlers=",".join(("tells", *handlers)), **how) as running:
        yield running


async def vanish(running: Victim, operator: Operator, cable: Cable) -> Gone:
    """Once. Who is near is not disturbed. Raises TimeoutError."""
    offline, sockets = operator.folder / "offline", running.sockets()
    offline.write_text("")
    async with visitors(running.url, VISITORS) as people, far_pages(cable, running.url, MANY):
        cable.pull()
        began = monotonic()
        async with ApiClient(running.url, ADMIN_KEY) as api:
            await api.broadcast("is anybody there?")
        uncounted_s, closed_s = await gone_s(running, sockets + VISITORS, VISITORS, GONE_WITHIN_S)
        await eventually(lambda: len(set(offline.read_text().split())) >= MANY, GONE_WITHIN_S)
        offline_s, rss_bytes = monotonic() - began, running.rss_bytes()
        assert {f"far{number}" for number in range(MANY)} == set(offline.read_text().split())
        assert not any(visitor.was_disturbed for visitor in people)
    return Gone(uncounted_s, closed_s, offline_s, rss_bytes)


async def test_who_vanishes_is_noticed(operator: Operator, cable: Cable, report: Callable[[str], None], figures: Figures):
    async with server(operator, cable) as running:
        with figures.bars("R8") as found:
            first = await vanish(running, operator, cable)
            cable.mend()
            second = await vanish(running, operator, cable)
            grown = second.rss_bytes - first.rss_bytes
            closed_s, offline_s = max(first.closed_s, second.closed_s), max(first.offline_s, second.offline_s)
            found.update({"sockets gone s": closed_s, "users offline s": offline_s, "the second time MiB more": grown / MIB})
            assert "Traceback" not in running.log
            assert max(closed_s, offline_s) < GONE_WITHIN_S
            assert grown < MAX_LEFT_BYTES
    report(
        f"R8 {MANY} pages vanished, twice: not counted after {second.uncounted_s:.1f} s, out of process and kernel after "
        f"{second.closed_s:.1f} s, users offline after {second.offline_s:.1f} s; the second time {grown / MIB:.1f} MiB more"
    )


@pytest.mark.long
async def test_a_server_that_takes_silence_for_an_answer_is_found_out(operator: Operator, cable: Cable):
    (operator.folder / "deaf.py").write_text(DEAF)
    async with server(operator, cable, "deaf") as running:
        with pytest.raises(TimeoutError, match="in time"):
            await vanish(running, operator, cable)
