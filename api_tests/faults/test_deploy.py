"""R3: a server with many pages is replaced. Each page has its own slot, then 1012; nobody is answered 5xx; all come back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.crowd import Page, crowd
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
GAUGE = """
import asyncio, time
from pathlib import Path
from app import wsx

worst, tasks = [0.0], []

async def gauge():
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.001)
        if wsx.hub.is_draining and (late := time.monotonic() - began - 0.001) > worst[0]:
            worst[0] = late
            Path("worst").write_text(str(late))

@wsx.on_connection
def begin(connection):
    if not tasks:
        tasks.append(asyncio.create_task(gauge()))
"""
"""How long the loop was held while the server drained."""


class Load:
    """Broadcasts without pause. While nobody listens it tries again."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self.statuses: list[int] = []
        self.refused = 0

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
            except httpx.TransportError:
                self.refused += 1
            await asyncio.sleep(20 * MS)


async def come(pages: list[Page]) -> None:
    for start in range(0, len(pages), AT_ONCE):
        await asyncio.gather(*(page.connect() for page in pages[start : start + AT_ONCE]))
        await eventually(lambda start=start: all(page.hellos for page in pages[: start + AT_ONCE]), LONG_S)


async def test_pages_come_back_to_the_next_server_one_after_the_other(
    operator: Operator, is_long: bool, report: Callable[[str], None]
):
    count = MANY if is_long else FEW
    (operator.folder / "gauge.py").write_text(GAUGE)
    how = {"admin_key": ADMIN_KEY, "drain_s": str(DRAIN_S), "handlers": "gauge"}
    async with operator.serves(**how) as old:
        pages = crowd(old.url, count)
        await come(pages)
        api = ApiClient(old.url, ADMIN_KEY)
        load = Load(api)
        async with api, load.running():
            began = monotonic()
            old.process.send_signal(signal.SIGTERM)
            assert 0 == await old.process.wait()
            stopped_s = monotonic() - began
            async with operator.serves(**how, port=old.url.rpartition(":")[2]):
                await eventually(lambda: all(len(page.hellos) == 2 for page in pages), LONG_S)
                back_s = max(page.hellos[1] for page in pages) - began
                for page in pages:
                    page.leave()
    held_s = float(Path(operator.folder / "worst").read_text())
    answers = [status for page in pages for status in page.statuses] + load.statuses
    report(
        f"{count} pages: stopped in {stopped_s:.2f} s, loop held {held_s * 1000:.1f} ms, all back in {back_s:.2f} s; "
        f"{len(load.statuses)} requests answered, {load.refused} refused while nobody listened"
    )
    assert [[1012]] * count == [page.codes for page in pages]
    assert count == len({slot for page in pages for slot in page.slots_ms}) == sum(len(page.slots_ms) for page in pages)
    assert not [status for status in answers if status >= 500]
    assert stopped_s < DRAIN_S
    if is_long:
        assert back_s < BACK_WITHIN_S
        assert held_s < MAX_HOLD_S
