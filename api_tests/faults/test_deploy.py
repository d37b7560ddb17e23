"""R3: a server with many pages is replaced. Each page has its own slot, then 1012; nobody is answered 5xx; all come back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple

import httpx

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.crowd import Page, crowd
from api_tests.faults.gauge import NAME, LoopGauge
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import MS, eventually
from app.kernel.clock import monotonic

MANY, FEW = 5_000, 200
AT_ONCE = 200
"""Handshakes at a time, before."""
DRAIN_S = 15.0
BACK_WITHIN_S = 15.0
MAX_HOLD_S = 20 * MS
LONG_S = 60.0
TOGETHER = """
from app.hub.drain import Drain

tell = Drain._tell_slot
Drain._tell_slot = lambda drain, connection, slot_s: tell(drain, connection, 3.0)
"""
"""The product, as if nobody had thought of what happens when all come back at once."""


class Load:
    """Broadcasts without pause. While nobody listens it tries again."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self.statuses: list[int] = []
        self.refused = self.cut_off = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _run(self) -> None:
        body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x", "swap": "beforeend"}
        while True:
            try:
                self.statuses.append((await self._api.post("/broadcasts", body)).status_code)
            except httpx.ConnectError:
                self.refused += 1
            except httpx.TransportError:  # a proxy would say 502
                self.cut_off += 1
            await asyncio.sleep(20 * MS)


async def come(pages: list[Page]) -> None:
    for start in range(0, len(pages), AT_ONCE):
        await asyncio.gather(*(page.connect() for page in pages[start : start + AT_ONCE]))
        await eventually(lambda start=start: all(page.hellos for page in pages[: start + AT_ONCE]), LONG_S)


class Deploy(NamedTuple):
    """What became of it, in seconds since the signal."""

    stopped_s: float
    back_s: float
    held_s: float
    answered: int
    refused: int
    """Requests while nobody listened."""
    wrong: list[str]


async def deployed(operator: Operator, count: int, *handlers: str) -> Deploy:
    gauge = LoopGauge(operator.folder, 1 * MS)
    how = {"admin_key": ADMIN_KEY, "drain_s": str(DRAIN_S), "handlers": ",".join((NAME, *handlers))}
    async with operator.serves(**how) as old:
        pages = crowd(old.url, count)
        await come(pages)
        api = ApiClient(old.url, ADMIN_KEY)
        load = Load(api)
        async with api, AsyncExitStack() as talk:
            await talk.enter_async_context(load.running())
            began = monotonic()
            old.process.send_signal(signal.SIGTERM)
            assert 0 == await old.process.wait()
            stopped_s = monotonic() - began
            async with operator.serves(**how, port=old.url.rpartition(":")[2]):
                await eventually(lambda: all(len(page.hellos) == 2 for page in pages), LONG_S)
                back_s = max(page.hellos[1] for page in pages) - began
                await talk.aclose()  # before this one ends, too, which is no deploy
                for page in pages:
                    page.leave()
    held_s = max(gauge.lates_while_draining_s())
    statuses = [status for page in pages for status in page.statuses] + load.statuses
    slots = [slot for page in pages for slot in page.slots_ms]
    found = {
        "a page was not closed with 1012": any(page.codes != [1012] for page in pages),
        "a page was not told one slot": any(len(page.slots_ms) != 1 for page in pages),
        "two pages have the same slot": len(set(slots)) < len(slots),
        "a request was cut off": load.cut_off > 0,
        "answered 5xx": any(status >= 500 for status in statuses),
    }
    return Deploy(stopped_s, back_s, held_s, len(load.statuses), load.refused, [what for what, is_so in found.items() if is_so])


async def test_pages_come_back_to_the_next_server_one_after_the_other(
    operator: Operator, is_long: bool, report: Callable[[str], None], figures: Figures
):
    count = MANY if is_long else FEW
    with figures.bars("R3", pages=count) as found:
        done = await deployed(operator, count)
        report(
            f"R3 {count} pages: stopped in {done.stopped_s:.2f} s, loop held {done.held_s / MS:.1f} ms, "
            f"all back in {done.back_s:.2f} s; {done.answered} requests answered, {done.refused} refused while nobody listened"
        )
        found.update(
            {
                "stopped s": done.stopped_s,
                "loop held ms": done.held_s / MS,
                "all back s": done.back_s,
                "wrong": len(done.wrong),
            }
        )
        assert [] == done.wrong
        assert done.stopped_s < DRAIN_S
        if is_long:
            assert done.back_s < BACK_WITHIN_S
            assert done.held_s < MAX_HOLD_S


async def test_a_server_that_tells_everybody_the_same_slot_is_found_out(operator: Operator):
    (operator.folder / "together.py").write_text(TOGETHER)
    assert "two pages have the same slot" in (await deployed(operator, FEW, "together")).wrong
