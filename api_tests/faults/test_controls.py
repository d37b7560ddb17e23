"""The checker finds what is wrong with servers that are broken on purpose. If it did not, the other runs would show nothing."""

from pathlib import Path

import pytest

from api_tests.faults.checker import Wrong
from api_tests.faults.scene import Scene, scene
from api_tests.redis_server import RedisServer
from api_tests.waiting import eventually

PAGES, SEED = 8, 1
BEFORE_THE_COMMIT = """
import asyncio
from app.features.chat import actions

send, running = actions.send_to_room, set()

async def send_later(*args, **how):
    async def later():
        await asyncio.sleep(60)
        await send(*args, **how)
    running.add(asyncio.create_task(later()))

actions.send_to_room = send_later
"""
BEFORE_ITS_COMMIT = """
import asyncio
from app.db.lanes import Lane

store, running = Lane._store, set()

async def answer_first(lane, group):
    async def later():
        await asyncio.sleep(60)
        await store(lane, group)
    running.add(asyncio.create_task(later()))
    for write in group:
        write.end(None)

Lane._store = answer_first
"""
BEFORE_THE_APPEND = """
import asyncio
from app.features.unsent import Unsent
from app.hub.publication import Receipt

running = set()

async def push_later(unsent, publication):
    async def later():
        await asyncio.sleep(60)
        await unsent._services.hub.publish(publication)
    running.add(asyncio.create_task(later()))
    unsent.done(publication.id)
    return Receipt(publication.id, 0, 0)

Unsent.push = push_later
"""
WITHOUT_THE_NEWEST = """
from app.hub.catch_up import CatchUp

collect = CatchUp._collect

def collect_less(catch_up, entries, position):
    return max([collect(catch_up, entries[:-1], position), *(entry.cursor for entry in entries[-1:])])

CatchUp._collect = collect_less
"""
NEVER_AGAIN = """
from app.features.unsent import Unsent

async def forget(unsent, _push, again):
    unsent.done(again.id)

Unsent._push_again = forget
"""
EVERY_OTHER = """
from itertools import count
from app.features.unsent import Unsent

push_again, numbers = Unsent._push_again, count()

async def push_some(unsent, push, again):
    if next(numbers) % 2:
        unsent.done(again.id)
    else:
        await push_again(unsent, push, again)

Unsent._push_again = push_some
"""
ONLY_GAPS = """
from app.hub.catch_up import CatchUp

async def begin(catch_up, *, is_sure):
    return catch_up._tell_gap(catch_up._returning.journal.head(), None)

CatchUp._begin = begin
"""
TO_ANYBODY = """
from app.features.notifications import service
from app.hub.audience import signed_in

service.users = lambda *_: signed_in
"""


async def all_talk_until_a_node_is_killed(here: Scene, _redis: RedisServer) -> None:
    talk = here.burst.start(40, 1.5)
    await eventually(lambda: sum(one.is_stored and one.is_acknowledged for one in here.burst.sent) > 20)
    await here.nodes[0].kill()
    await talk
    await here.nodes[0].start()


async def one_is_away_while_all_talk(here: Scene, _redis: RedisServer) -> None:
    here.pages[0].leave()
    await here.burst.run(40, 0.5)
    await here.burst.say_to_all(here.office.nodes[0])
    await here.pages[0].connect()


async def redis_comes_back_empty(here: Scene, redis: RedisServer) -> None:
    """Every page is told a gap, and half of them read no lists: those see what they are pushed."""
    here.half_reads_no_lists()
    here.burst.in_order = False
    await redis.stop()
    redis.empty()
    await here.burst.run(40, 1.0)
    await redis.start()
    for node in here.nodes:
        await node.until_journal_is("ok")


@pytest.mark.parametrize(
    ("broken", "what_happens", "wrong"),
    [
        (BEFORE_THE_COMMIT, all_talk_until_a_node_is_killed, Wrong.LOST),
        (BEFORE_ITS_COMMIT, all_talk_until_a_node_is_killed, Wrong.LOST),
        (BEFORE_THE_APPEND, all_talk_until_a_node_is_killed, Wrong.MISSING),
        (WITHOUT_THE_NEWEST, one_is_away_while_all_talk, Wrong.MISSING),
        (NEVER_AGAIN, redis_comes_back_empty, Wrong.MISSING),
        pytest.param(EVERY_OTHER, redis_comes_back_empty, Wrong.MISSING, marks=pytest.mark.long),
        (TO_ANYBODY, one_is_away_while_all_talk, Wrong.FOREIGN),
    ],
    ids=[
        "answers before the commit",
        "a writer that answers before its commit",
        "answers before the append",
        "replays all but the newest",
        "pushes nothing again",
        "pushes every other thing again",
        "tells it to anybody",
    ],
)
async def test_a_broken_server_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer, broken, what_happens, wrong):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.py").write_text(broken)
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=SEED, handlers="broken") as here:
        await what_happens(here, redis)
        assert wrong in {one.wrong for one in await here.is_over()}


@pytest.mark.long
async def test_a_server_that_replays_nothing_and_tells_a_gap_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    """To the checker a gap excuses what is not stored, so that it finds nothing wrong."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.py").write_text(ONLY_GAPS)
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=SEED, handlers="broken") as here:
        await all_talk_until_a_node_is_killed(here, redis)
        assert [] == await here.is_over()
        assert here.gaps_without_a_room()
