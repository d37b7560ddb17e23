"""R7: one node is cut off from Redis, and is not told. The other one tells its users as offline; once it is mended all is right."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from api_tests.cluster.wire import wire_to
from api_tests.faults.scene import IS_LONG, Scene, scene
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import MS, eventually
from app.kernel.clock import monotonic

PAGES, PER_S, SEED = 8, 20, 1
CUT_S = 30.0 if IS_LONG else 2.0
RIGHT_WITHIN_S = 60.0
TELLS = """
from pathlib import Path
from app import wsx

def tells(sign):
    def tell(user):
        with Path("told").open("a") as told:
            told.write(f"{sign}{user.id} ")
    return tell

wsx.events.on("user.online", tells("+"))
wsx.events.on("user.offline", tells("-"))
"""
SOON = """
from app.cluster import clerk

clerk.BEAT_S, clerk.DEAD_AFTER_S = 0.2, 1.0
"""
"""The short form: the dead are known after a second, not after 15 s."""
FOUND_OUT_S = 5.0
"""The short form knows the dead after a second."""
NOBODY_DIES = """
from app.cluster import clerk

clerk.BEAT_S = 0.2
"""
"""The product, as if there were time: nobody is dead before 15 s are over."""


def told(here: Scene) -> list[str]:
    """What was told of users, by both nodes."""
    files = (node.folder / "told" for node in here.nodes)
    return sorted(" ".join(file.read_text() for file in files if file.exists()).split())


async def all_are_online(here: Scene) -> bool:
    """As both nodes say."""
    paths = [f"/users/{page.name}/presence" for page in here.pages]
    answers = [(await node.get(path)).json() for node in here.office.nodes for path in paths]
    return all((True, 1) == (answer["online"], answer["connections"]) for answer in answers)


async def test_a_node_is_cut_off_from_redis(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, report: Callable[[str], None], figures: Figures
):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "tells.py").write_text(TELLS if IS_LONG else TELLS + SOON)
    grace = {} if IS_LONG else {"presence_grace_s": "0.2"}
    async with (
        wire_to(redis.port) as wire,
        scene(tmp_path, postgresql_url, wire.url, redis.url, pages=PAGES, seed=SEED, handlers="tells", **grace) as here,
    ):
        online, cut_off = [f"+{page.name}" for page in here.pages], [f"-{page.name}" for page in here.on(here.nodes[0])]
        await here.burst.run(PER_S, 1)
        await eventually(lambda: sorted(online) == told(here))
        here.burst.in_order = False
        wire.cut()
        began = monotonic()
        talk = here.burst.start(PER_S, CUT_S)
        await eventually(lambda: sorted(online + cut_off) == told(here), RIGHT_WITHIN_S)
        offline_s = monotonic() - began
        await talk

        back = monotonic()
        wire.mend()
        await eventually(
            lambda: sorted([*online, *cut_off, *(name.replace("-", "+") for name in cut_off)]) == told(here), RIGHT_WITHIN_S
        )
        async with asyncio.timeout(RIGHT_WITHIN_S):
            while True:
                if await all_are_online(here):
                    break
                await asyncio.sleep(10 * MS)
        right_s = monotonic() - back
        await here.nothing_waits()
        here.burst.in_order = True
        await here.burst.run(PER_S, 1)
        wrong = await here.is_over()
        report(
            f"R7 {here.figures}; cut off for {CUT_S:g} s: its users offline after {offline_s:.2f} s; "
            f"presence right again {right_s:.2f} s after it was mended"
        )
        with figures.bars("R7", here.measured | {"wrong": len(wrong), "its users offline s": offline_s, "right again s": right_s}):
            assert [] == wrong
            assert not any(page.gaps for page in here.pages)


@pytest.mark.long
async def test_a_server_that_does_not_know_the_dead_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "tells.py").write_text(TELLS + NOBODY_DIES)
    async with (
        wire_to(redis.port) as wire,
        scene(tmp_path, postgresql_url, wire.url, redis.url, pages=PAGES, seed=SEED, handlers="tells") as here,
    ):
        online = [f"+{page.name}" for page in here.pages]
        await eventually(lambda: sorted(online) == told(here))
        wire.cut()
        with pytest.raises(TimeoutError):
            await eventually(lambda: sorted(online) != told(here), FOUND_OUT_S)
        wire.mend()
