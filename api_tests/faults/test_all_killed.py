"""R2: all nodes are killed together while all talk. They are started again, and that is all that anybody does."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from api_tests.faults.scene import IS_LONG, PAGES, SEEDS, scene
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import SOON_S

READY_WITHIN_S = 5.0 if IS_LONG else SOON_S


@pytest.mark.parametrize("seed", SEEDS)
async def test_all_nodes_are_killed_while_all_talk(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, seed: int, report: Callable[[str], None], figures: Figures
):
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=seed) as here:
        with figures.bars("R2", seed=seed) as found:
            talk = await here.talk_half_through()
            await asyncio.gather(*(node.kill() for node in here.nodes))
            ready_s = max(await asyncio.gather(*(node.start() for node in here.nodes)))
            await talk
            wrong = await here.is_over()
            found.update(here.measured | {"wrong": len(wrong), "ready after s": ready_s})
            report(f"R2 {here.figures}; both nodes ready {ready_s:.2f} s after their start")
            assert [] == wrong
            assert [] == here.gaps_without_a_room()
            assert ready_s < READY_WITHIN_S
