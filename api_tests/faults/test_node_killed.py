"""R1: one of two nodes is killed while all talk. Its pages are back on the other one, and nothing that was answered is missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api_tests.faults.scene import IS_LONG, PAGES, SEEDS, p99, scene
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import SOON_S
from app.kernel.clock import monotonic

BACK_WITHIN_S = 5.0 if IS_LONG else SOON_S


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_node_is_killed_while_all_talk(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, seed: int, report: Callable[[str], None], figures: Figures
):
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=seed) as here:
        with figures.bars("R1", seed=seed) as found:
            talk = await here.talk_half_through()
            node = here.chance.choice(here.nodes)
            leaving = here.on(node)
            began = monotonic()
            await node.kill()
            await node.start()
            await talk
            wrong = await here.is_over()
            back_s = p99(here.caught_up_s(leaving, began))
            found.update(here.measured | {"wrong": len(wrong), "caught up s, p99": back_s})
            report(f"R1 {here.figures}; {len(leaving)} pages lost their node, back and caught up in {back_s:.2f} s (p99)")
            assert [] == wrong
            assert [] == here.gaps_without_a_room()
            assert back_s < BACK_WITHIN_S
