"""R7: one node is cut off from Redis, and is not told. The other one tells its users as offline; once it is mended all is right."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from api_tests.cluster.wire import Wire, wire_to
from api_tests.faults.scene import IS_LONG, SEEDS, Scene, scene
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import eventually, eventually_told
from app.kernel.clock import monotonic

PAGES, PER_S = (20, 60) if IS_LONG else (8, 20)
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
NOBODY_DIES = """
from app.cluster import clerk

clerk.DEAD_AFTER_S = 3600.0
"""
"""The product, as if there were time: nobody is dead before an hour is over."""


def told(here: Scene) -> list[str]:
    """What was told of users, by both nodes."""
    files = (node.folder / "told" for node in here.nodes)
    return sorted(" ".join(file.read_text() for file in files if file.exists()).split())


async def all_are_online(here: Scene) -> bool:
    """As both nodes say."""
    paths = [f"/users/{page.name}/presence" for page in here.pages]
    answers = [(await node.get(path)).json() for node in here.office.nodes for path in paths]
    return all((True, 1) == (answer["online"], answer["connections"]) for answer in answers)


async def right_again_s(here: Scene, wire: Wire, cut_off: Sequence[str]) -> float:
    """Mend it; how long it takes until all are told as online, and are. Raises TimeoutError."""
    mended = monotonic()
    wire.mend()
    all_of_it = [*(f"+{page.name}" for page in here.pages), *cut_off, *(name.replace("-", "+") for name in cut_off)]
    await eventually(lambda: sorted(all_of_it) == told(here), RIGHT_WITHIN_S)
    await eventually_told(lambda: all_are_online(here), RIGHT_WITHIN_S)
    return monotonic() - mended


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_node_is_cut_off_from_redis(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, seed: int, report: Callable[[str], None], figures: Figures
):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "tells.py").write_text(TELLS if IS_LONG else TELLS + SOON)
    grace = {} if IS_LONG else {"presence_grace_s": "0.2"}
    async with (
        wire_to(redis.port) as wire,
        scene(tmp_path, postgresql_url, wire.url, redis.url, pages=PAGES, seed=seed, handlers="tells", **grace) as here,
    ):
        online, cut_off = [f"+{page.name}" for page in here.pages], [f"-{page.name}" for page in here.on(here.nodes[0])]
        await here.burst.run(PER_S, 1)
        await eventually(lambda: sorted(online) == told(here))
        with figures.bars("R7", seed=seed) as found:
            here.burst.in_order = False
            wire.cut()
            began = monotonic()
            talk = here.burst.start(PER_S, CUT_S)
            await eventually(lambda: sorted(online + cut_off) == told(here), RIGHT_WITHIN_S)
            offline_s = found["its users offline s"] = monotonic() - began
            await talk

            right_s = found["right again s"] = await right_again_s(here, wire, cut_off)
            await here.nothing_waits()
            here.burst.in_order = True
            await here.burst.run(PER_S, 1)
            wrong = await here.is_over()
            found.update(here.measured | {"wrong": len(wrong)})
            report(
                f"R7 {here.figures}; cut off for {CUT_S:g} s: its users offline after {offline_s:.2f} s; "
                f"presence right again {right_s:.2f} s after it was mended"
            )
            assert [] == wrong
            assert not any(page.gaps for page in here.pages)


@pytest.mark.long
async def test_a_server_that_does_not_know_the_dead_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "tells.py").write_text(TELLS + NOBODY_DIES)
    async with (
        wire_to(redis.port) as wire,
        scene(tmp_path, postgresql_url, wire.url, redis.url, pages=PAGES, seed=SEEDS[0], handlers="tells") as here,
    ):
        online = [f"+{page.name}" for page in here.pages]
        await eventually(lambda: sorted(online) == told(here))
        wire.cut()
        with pytest.raises(TimeoutError):
            await eventually(lambda: sorted(online) != told(here), RIGHT_WITHIN_S)
        wire.mend()
