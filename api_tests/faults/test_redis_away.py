"""R4 and R5: Redis is killed and comes back with nothing; it stands still. Nothing that is stored is lost: it is not the record."""

import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from api_tests.faults.scene import IS_LONG, SEEDS, Scene, p99, scene
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.waiting import SOON_S, eventually
from app.journal.appends import APPEND_S
from app.kernel.clock import monotonic

PAGES, PER_S = (20, 60) if IS_LONG else (8, 20)
GONE_S, STILL_S = (30.0, 20.0) if IS_LONG else (3.0, 4.0)
LEVEL_WITHIN_S = 5.0 if IS_LONG else SOON_S
ANSWERED_WITHIN_S = APPEND_S + (1.0 if IS_LONG else SOON_S)


NEVER_TOO_LATE = """
import runpy
from app.cluster import client
from app.journal import appends, redis

client.ANSWER_S = redis.ANSWER_S = appends.APPEND_S = redis.APPEND_S = 3600.0
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""
"""The product, as if it waited for Redis for ever."""


async def knows_that_it_is_away(here: Scene) -> None:
    """Both nodes say so."""
    for node in here.nodes:
        told = await node.until_journal_is("away")
        assert "degraded" == told["status"]


def stored_since(here: Scene, began: float) -> list[str]:
    return [one.mark for one in here.burst.sent if one.is_stored and one.is_acknowledged and one.asked_at >= began]


def all_have(here: Scene, marks: list[str], *, of_own_node: bool = False) -> bool:
    """Whether whoever is to see these has; `of_own_node`: of the pages of the node that was asked."""
    hearers = {one.mark: one.hearers for one in here.burst.sent}
    return all(
        mark in page.seen_at
        for mark in marks
        for page in here.pages
        if page.name in hearers[mark] and (not of_own_node or page.url == here.burst.asked[mark])
    )


async def are_told(here: Scene, seconds: float) -> list[str]:
    """All talk for so long, while Redis is away: broadcasts are refused, and told when to come again; the rest is stored.

    The marks of that; none of them is with the pages of the other node.
    """
    began, known = monotonic(), len(here.burst.statuses)
    await here.burst.run(PER_S, seconds)
    answers = {(kind == "broadcast", status) for kind, status, _ in here.burst.statuses[known:]}
    assert {(True, HTTPStatus.SERVICE_UNAVAILABLE), (False, HTTPStatus.CREATED)} == answers
    assert {True} == here.burst.told_when
    stored = stored_since(here, began)
    await eventually(lambda: all_have(here, stored, of_own_node=True))
    assert not all_have(here, stored)
    return stored


@pytest.mark.parametrize("seed", SEEDS)
async def test_redis_is_killed_and_comes_back_empty(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, seed: int, report: Callable[[str], None], figures: Figures
):
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=seed) as here:
        here.half_reads_no_lists()
        await here.burst.run(PER_S, 1)
        with figures.bars("R4", seed=seed) as found:
            here.burst.in_order = False
            await redis.stop()
            redis.empty()
            await here.burst.run(PER_S, 0.2)  # whoever asks first waits for an answer of Redis
            await knows_that_it_is_away(here)
            stored = await are_told(here, GONE_S)
            found["stored meanwhile"] = len(stored)

            back = monotonic()
            await redis.start()
            await eventually(lambda: all_have(here, stored))
            shown_s = found["on all pages s"] = monotonic() - back
            await here.nothing_waits()
            level_s = found["all pushed s"] = monotonic() - back
            await here.all_ready()
            here.burst.in_order = True
            await here.burst.run(PER_S, 1)
            wrong = await here.is_over()
            found.update(here.measured | {"wrong": len(wrong)})
            report(
                f"R4 {here.figures}; Redis was away for {GONE_S:g} s, {len(stored)} were stored meanwhile; "
                f"on all pages {shown_s:.2f} s after it was back, all pushed again after {level_s:.2f} s"
            )
            assert [] == wrong
            assert all(page.gaps for page in here.pages)
            assert level_s < LEVEL_WITHIN_S


@pytest.mark.parametrize("seed", SEEDS)
async def test_redis_stands_still(
    tmp_path: Path, postgresql_url: str, redis: RedisServer, seed: int, report: Callable[[str], None], figures: Figures
):
    async with scene(tmp_path, postgresql_url, redis.url, pages=PAGES, seed=seed) as here:
        await here.burst.run(PER_S, 1)
        with figures.bars("R5", seed=seed) as found:
            here.burst.in_order = False
            redis.pause()
            talk = here.burst.start(PER_S, STILL_S)
            await knows_that_it_is_away(here)
            await talk
            slowest_s = found["answers s, p99"] = p99([seconds for *_, seconds in here.burst.statuses])
            redis.resume()
            await here.nothing_waits()
            here.burst.in_order = True
            await here.burst.run(PER_S, 1)
            wrong = await here.is_over()
            found.update(here.measured | {"wrong": len(wrong)})
            report(f"R5 {here.figures}; Redis stood still for {STILL_S:g} s, requests were answered in {slowest_s:.2f} s (p99)")
            assert [] == wrong
            assert slowest_s < ANSWERED_WITHIN_S


@pytest.mark.long
async def test_a_server_that_waits_for_redis_for_ever_is_found_out(tmp_path: Path, postgresql_url: str, redis: RedisServer):
    program = (sys.executable, "-c", NEVER_TOO_LATE)
    async with scene(tmp_path, postgresql_url, redis.url, pages=2, seed=SEEDS[0], program=program) as here:
        redis.pause()
        here.burst.start(PER_S, 0.5)
        began = monotonic()
        await eventually(lambda: here.burst.statuses or monotonic() - began > APPEND_S + 2.0)
        redis.resume()
        await here.burst.settled()
        assert max(seconds for *_, seconds in here.burst.statuses) > APPEND_S + 1.0
