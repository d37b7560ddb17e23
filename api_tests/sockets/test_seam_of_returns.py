"""Where what a page missed meets what it hears live: nothing missing, nothing twice, nothing out of order."""

import asyncio
from contextlib import asynccontextmanager

from api_tests.sockets.returning import Visitor
from app import wsx
from benchmarks.chance import Chance

SEED = 20_261_124


@asynccontextmanager
async def publishing():
    """Publish numbers without pause while the block runs; yields the list of what was published."""
    said: list[str] = []
    is_over = asyncio.Event()

    async def publish() -> None:
        while not is_over.is_set():
            said.append(str(len(said)))
            await wsx.broadcast("#numbers", said[-1], "beforeend")
            await asyncio.sleep(0)

    task = asyncio.create_task(publish())
    try:
        yield said
    finally:
        is_over.set()
        await task


async def come_and_go(visitor: Visitor, times: int, chance: Chance) -> None:
    """Hear a little, and be cut off; half of the times the page is back before its old socket is gone."""
    old = None
    for _ in range(times):
        page = await visitor.visit().__aenter__()
        for _ in range(chance.choice((0, 1, 2, 5, 10))):
            await page.next()
        if old is not None:
            old.raw.transport.abort()
        old = page if chance.random() < 0.5 else None
        if old is None:
            page.raw.transport.abort()


async def test_a_page_that_leaves_and_returns_a_thousand_times_misses_nothing(server, request):
    times = 1_000 if request.node.callspec.id == "direct" else 200
    visitor = Visitor(server, target="#numbers")
    async with visitor.visit() as page, publishing() as said:
        page.raw.transport.abort()
        await come_and_go(visitor, times, Chance(SEED))
    async with visitor.visit() as page:
        await page.hear(said[-1])
    assert said[int(visitor.heard[0]) :] == visitor.heard
    assert [] == visitor.gaps
    assert len(visitor.heard) > 2 * times
