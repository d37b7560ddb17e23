"""D4: PostgreSQL is killed, and restarted, while all talk; and an answer is lost in the moment of the commit."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.faults.asking_again import STORED, AskingAgain
from api_tests.faults.scene import IS_LONG, PAGES, PER_S, SECONDS, scene
from api_tests.postgresql_server import Postgres, plain, query, run_postgres
from api_tests.proxy import proxy_to
from api_tests.redis_server import RedisServer
from api_tests.reliability import Figures
from api_tests.server import ADMIN_KEY
from api_tests.waiting import SOON_S, eventually, eventually_told
from app.kernel.clock import monotonic

CALLS, AT_ONCE = (600, 12) if IS_LONG else (60, 6)
SEEDS = range(1, 6 if IS_LONG else 2)
WELL_WITHIN_S = 10.0 if IS_LONG else SOON_S
HOLD = 1
"""The lock for which the commit waits."""
HOLD_UP = f"""
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({HOLD}); RETURN NULL; END $$;
"""
HOLDS_UP = """
CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold_up();
"""
WAITS = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
ANY_KEY = """
from app.features.idempotency import IdempotentCalls

async def carry_out(calls, asked, work, *, keeps_answer):
    return await work()

IdempotentCalls.carry_out = carry_out
"""
"""The product, as if it knew no keys."""
SETTLES_NOTHING = """
from app.db import lanes

lanes.SETTLE_S = 0.0
"""
"""The product, whose writer tells everybody that it does not know."""


class Call(NamedTuple):
    """What is asked for, and how often it is stored."""

    path: str
    body: Mapping[str, Any]
    stored: str


BY_THE_WRITER = Call(
    "notifications", {"user_ids": ["ada"], "title": "title"}, "SELECT title, count(*) FROM notifications GROUP BY title"
)
IN_A_TRANSACTION = Call(
    "announcements",
    {"title": "title", "message": "message", "priority": "low"},
    "SELECT title, count(*) FROM announcements GROUP BY title",
)
"""Of which nobody but the key settles what is unclear."""


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A cluster that may be stopped, and writes to the disk."""
    with run_postgres(durable=True) as running:
        yield running


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["killed", "restarted"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_postgresql_is_away_for_a_moment_while_all_talk(
    tmp_path: Path,
    own: Postgres,
    redis: RedisServer,
    how: signal.Signals,
    seed: int,
    report: Callable[[str], None],
    figures: Figures,
):
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with figures.bars("D4", seed=seed) as found, own.migrated() as url:
        async with (
            scene(tmp_path, url, redis.url, pages=PAGES, seed=seed) as here,
            httpx.AsyncClient(headers=headers, timeout=SOON_S) as client,
        ):
            office = AskingAgain(client, here.nodes, CALLS, waits_a_minute=IS_LONG)
            talk, asking = here.burst.start(PER_S, SECONDS), asyncio.create_task(office.ask_all(AT_ONCE))
            await eventually(lambda: len(here.burst.sent) > PER_S * SECONDS / 3 and len(office.outcomes) > CALLS // 4)
            await asyncio.to_thread(own.stop, how)
            await asyncio.to_thread(own.start)
            back = monotonic()
            for number, node in enumerate(here.office.nodes):

                async def stores(node: httpx.AsyncClient = node, number: int = number) -> bool:
                    return (await node.post("/rooms", json={"id": f"well{number}"})).status_code in {201, 409}

                await eventually_told(stores)
            well_s = monotonic() - back
            await asyncio.gather(talk, asking)
            wrong = await here.is_over()
            stored = {str(title): count for title, count in query(url, STORED) if str(title).startswith("title")}
        outcomes = dict(Counter(office.outcomes.values()))
        report(f"D4 {how.name} {here.figures}; well again after {well_s:.2f} s; {office.asked_again} asked again: {outcomes}")
        found.update(
            here.measured
            | {
                "asked again under keys": office.asked_again,
                "wrong": len(wrong),
                "stored twice": sum(count > 1 for count in stored.values()),
                "well after s": well_s,
            }
        )
        assert [] == wrong
        assert {1} == set(stored.values())
        assert {title for title, outcome in office.outcomes.items() if outcome != "still_running"} <= stored.keys()
        assert {"done", "replayed", "answer_lost", "still_running"} >= outcomes.keys()
        assert not IS_LONG or CALLS == len(stored)
        assert well_s < WELL_WITHIN_S


async def unclear(operator: Operator, own: Postgres, url: str, call: Call, **settings: str) -> tuple[list[tuple[int, str]], int]:
    """A call under a key whose commit is carried out and not confirmed, and the same again: both answers, how often it is there."""
    told = []
    async with proxy_to(own.port) as proxy:
        through = url.replace(f":{own.port}/", f":{proxy.port}/")
        async with operator.serves(database_url=through, admin_key=ADMIN_KEY, **settings) as serving, AsyncExitStack() as end:
            connection = await asyncpg.connect(plain(url))
            end.callback(connection.terminate)
            await connection.execute(HOLD_UP + HOLDS_UP % call.path)
            await connection.execute(f"SELECT pg_advisory_lock({HOLD})")
            async with ApiClient(serving.url, ADMIN_KEY) as api:

                async def ask() -> None:
                    answer = await api.post(f"/{call.path}", call.body, headers={"Idempotency-Key": "unclear"})
                    word = "replayed" if "idempotency-replayed" in answer.headers else answer.json().get("type", "")
                    told.append((answer.status_code, word.rpartition(":")[2]))

                asking = asyncio.create_task(ask())
                await eventually(lambda: query(url, WAITS))
                proxy.hold_answers()
                await connection.close()  # which releases the lock
                await eventually(lambda: query(url, call.stored))
                proxy.cut()
                proxy.release_answers()
                await asking
                await ask()
    ((_, stored),) = query(url, call.stored)
    return told, int(str(stored))


async def test_an_unclear_commit_is_settled_by_the_writer(operator: Operator, postgres: Postgres, postgresql_url: str):
    told, stored = await unclear(operator, postgres, postgresql_url, BY_THE_WRITER)
    assert ([(201, ""), (201, "replayed")], 1) == (told, stored)


async def test_an_unclear_commit_is_settled_by_the_key(operator: Operator, postgres: Postgres, postgresql_url: str):
    told, stored = await unclear(operator, postgres, postgresql_url, IN_A_TRANSACTION)
    assert ([(503, "unavailable"), (409, "answer_lost")], 1) == (told, stored)


@pytest.mark.parametrize(
    ("broken", "call", "found"),
    [
        (ANY_KEY, BY_THE_WRITER, ([(201, ""), (201, "")], 2)),
        (ANY_KEY, IN_A_TRANSACTION, ([(503, "unavailable"), (201, "")], 2)),
        (SETTLES_NOTHING, BY_THE_WRITER, ([(503, "unavailable"), (409, "answer_lost")], 1)),
    ],
    ids=["knows no keys, and its writer settles", "knows no keys", "its writer settles nothing"],
)
async def test_a_server_that_settles_less_is_found_out(
    operator: Operator, postgres: Postgres, postgresql_url: str, broken, call, found
):
    (operator.folder / "broken.py").write_text(broken)
    assert found == await unclear(operator, postgres, postgresql_url, call, handlers="broken")
