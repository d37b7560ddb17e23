"""R9: many pages never read. They are gone soon, from the process and from the kernel, and nobody else has to wait for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median

import pytest

from api_tests.abuse.floods import flooding
from api_tests.abuse.victim import MIB, Victim, victim
from api_tests.abuse.visitors import Visitors, visitors
from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.leaving import gone_s, until_counted
from api_tests.faults.scene import IS_LONG, p99
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS, SOON_S

COUNTS = (50, 2_000) if IS_LONG else (20,)
VISITORS, BEFORE_S, DURING_S = (40, 20.0, 40.0) if IS_LONG else (4, 0.5, 0.5)
GONE_WITHIN_S = 60.0 if IS_LONG else SOON_S
EVERY_S = 0.1 if IS_LONG else 0.02
HTML = "x" * 16_384
SHARE, AT_LEAST_S = 1.2, 1 * MS
"""The p99 of others may grow by a fifth, or by a millisecond where that is more: it is one or two of these."""
SOON = """
from app.serving import sink

sink.CLOSE_TIMEOUT_S, sink.GOODBYE_S = 0.3, 0.5
"""
"""The short form: who has been closed and does not wake up is cut after a second, not after 40."""
ENDLESS = """
from app.hub.outbox import Outbox

Outbox.max_bytes = property(lambda outbox: 2**40, lambda outbox, value: None)
"""
"""The product, as if it kept everything for everybody."""


@asynccontextmanager
async def broadcasts(running: Victim) -> AsyncIterator[None]:
    """Long ones, all the time."""

    async def on_and_on() -> None:
        async with ApiClient(running.url, ADMIN_KEY) as api:
            while True:
                await api.broadcast(HTML, swap="beforeend")
                await asyncio.sleep(EVERY_S)

    task = asyncio.create_task(on_and_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Told:
    """What was found."""

    def __init__(self) -> None:
        self.before_s: list[float] = []
        self.during_s: list[float] = []
        self.uncounted_s = self.gone_s = 0.0
        self.grown_bytes = 0


async def stall(running: Victim, people: Visitors, count: int) -> Told:
    """So many come and read nothing, while all are told much. Raises TimeoutError."""
    told, sockets = Told(), running.sockets()
    async with broadcasts(running):
        told.before_s = await people.waits_s(BEFORE_S)
    rss = running.forget_peak()
    async with flooding("stalled", running.port, count):
        await until_counted(running, len(people) + count, GONE_WITHIN_S)
        async with broadcasts(running):
            (told.uncounted_s, told.gone_s), told.during_s = await asyncio.gather(
                gone_s(running, sockets, len(people), GONE_WITHIN_S, callers=1), people.waits_s(DURING_S)
            )
    told.grown_bytes = running.peak_bytes() - rss
    assert not any(visitor.was_disturbed for visitor in people)
    return told


@asynccontextmanager
async def server(operator: Operator, *handlers: str) -> AsyncIterator[Victim]:
    (operator.folder / "soon.py").write_text(SOON)
    modules = [*handlers] if IS_LONG else ["soon", *handlers]
    async with victim(operator, handlers=",".join(modules)) as running:
        yield running


@pytest.mark.parametrize("count", COUNTS)
async def test_who_never_reads_is_gone_soon(operator: Operator, count: int, report: Callable[[str], None], figures: Figures):
    async with server(operator) as running, visitors(running.url, VISITORS) as people:
        with figures.bars(f"R9-{count}") as found:
            told = await stall(running, people, count)
            before_s, during_s = p99(told.before_s), p99(told.during_s)
            found.update(
                {
                    "not counted after s": told.uncounted_s,
                    "gone after s": told.gone_s,
                    "others' p99 before ms": before_s / MS,
                    "others' p99 with them ms": during_s / MS,
                    "MiB more": told.grown_bytes / MIB,
                }
            )
            assert "Traceback" not in running.log
            assert not IS_LONG or during_s < max(SHARE * before_s, before_s + AT_LEAST_S)
    report(
        f"R9 {count} never read: not counted after {told.uncounted_s:.1f} s, out of process and kernel after {told.gone_s:.1f} s; "
        f"others' p50 {median(told.before_s) / MS:.2f} -> {median(told.during_s) / MS:.2f} ms, "
        f"p99 {before_s / MS:.2f} -> {during_s / MS:.2f} ms; {told.grown_bytes / MIB:.1f} MiB more"
    )


@pytest.mark.long
async def test_a_server_that_keeps_everything_for_everybody_is_found_out(operator: Operator):
    (operator.folder / "endless.py").write_text(ENDLESS)
    async with server(operator, "endless") as running, visitors(running.url, VISITORS) as people:
        with pytest.raises(TimeoutError, match="in time"):
            await stall(running, people, COUNTS[0])
