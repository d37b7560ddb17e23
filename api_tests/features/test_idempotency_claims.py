"""Claims of idempotency keys: one of many carries it out, whatever dies; and what was stored is never stored twice."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api_tests.clock import Clock
from api_tests.db.beside import others_write, rows
from api_tests.features.bare import bare_services
from api_tests.features.statements import counted_statements
from api_tests.waiting import MS, eventually
from app.db.session import Database
from app.features import sweeping
from app.features.idempotency import IdempotentCalls, service
from app.hub.lease import Owner
from app.kernel.errors import AppError, Unavailable
from app.settings import Settings
from app.web.answer import Answer
from app.web.idempotency import AnswerLost, Asked, StillRunning

KEPT = "SELECT owner, key, status FROM idempotency_keys ORDER BY key"
ASKED = Asked("", "order-1", b"f" * 32)
DONE = Answer(201, [(b"location", "/caf\xe9".encode("latin-1"))], b'{"id":1}')


def _answers(answer: Answer) -> Any:
    async def work() -> Answer:
        return answer

    return work


@pytest.fixture
def calls(settings: Settings, database: Database) -> IdempotentCalls:
    return IdempotentCalls(bare_services(settings, database))


async def store(database: Database, name: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO dashboard_figures VALUES (:name, 0, 1, '2026-11-23')"), {"name": name})


async def test_expired_keys_are_swept_in_steps(
    settings: Settings, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "REST_S", 0)
    services = bare_services(settings, database)
    calls = IdempotentCalls(services)
    for number in range(5):
        await calls.carry_out(ASKED._replace(key=f"old-{number}"), _answers(DONE), keeps_answer=True)
    monkeypatch.setattr(service, "KEPT_FOR", timedelta(days=2))
    await calls.carry_out(ASKED._replace(key="new"), _answers(DONE), keeps_answer=True)
    clock.skip(25 * 3600)
    services.lease.owner = Owner.ELSEWHERE
    monkeypatch.setattr(service, "SWEEP_EVERY_S", 1 * MS)
    async with service.running(services):
        services.lease.owner = Owner.HERE
        await eventually(lambda: [("", "new", 201)] == rows(settings, KEPT))


async def test_of_many_at_once_on_two_nodes_one_is_carried_out(settings: Settings, calls: IdempotentCalls) -> None:
    elsewhere = Database(settings.database_url)
    others = IdempotentCalls(bare_services(settings, elsewhere))
    done: list[int] = []
    go_on = asyncio.Event()

    async def work() -> Answer:
        done.append(1)
        await go_on.wait()
        return DONE

    async def ask(node: IdempotentCalls) -> str:
        try:
            return str((await node.carry_out(ASKED, work, keeps_answer=True)).status)
        except AppError as error:
            return f"{error.code} {error.headers.get('Retry-After')}"

    asking = [asyncio.create_task(ask(node)) for node in (calls, others) * 5]
    await eventually(lambda: sum(task.done() for task in asking) == 9)
    go_on.set()
    assert ["201"] + ["still_running 1"] * 9 == sorted(await asyncio.gather(*asking))
    assert [1] == done
    again = await others.carry_out(ASKED, work, keeps_answer=True)
    assert ((201, DONE.body), DONE.headers[0]) == ((again.status, again.body), again.headers[0])
    await elsewhere.close()


async def test_what_came_to_nothing_is_carried_out_anew(settings: Settings, calls: IdempotentCalls) -> None:
    async def fails() -> Answer:
        raise Unavailable("the database cannot be used")

    for _ in range(2):
        with pytest.raises(Unavailable):
            await calls.carry_out(ASKED, fails, keeps_answer=True)
    assert [] == rows(settings, KEPT)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)


async def test_what_was_stored_before_it_failed_is_not_done_again(calls: IdempotentCalls, database: Database) -> None:
    async def fails_late() -> Answer:
        await store(database, "one")
        raise Unavailable("the other half did not work")

    with pytest.raises(Unavailable):
        await calls.carry_out(ASKED, fails_late, keeps_answer=True)
    with pytest.raises(AppError, match="was carried out, at least in part") as lost:
        await calls.carry_out(ASKED, fails_late, keeps_answer=True)
    assert (409, "answer_lost") == (lost.value.status, lost.value.code)


async def test_a_process_that_died_is_waited_for_a_minute_and_what_it_stored_counts(
    settings: Settings, calls: IdempotentCalls, database: Database, clock: Clock
) -> None:
    """It is cut off as a kill would: nothing of it runs any more, and nothing was written down of its end."""
    reached = asyncio.Event()

    async def dies(name: str) -> Answer:
        if name:
            await store(database, name)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    for key, name in (("stored", "one"), ("not stored", "")):
        reached.clear()
        dying = asyncio.create_task(calls.carry_out(ASKED._replace(key=key), lambda name=name: dies(name), keeps_answer=True))
        await reached.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        with pytest.raises(StillRunning):
            await calls.carry_out(ASKED._replace(key=key), _answers(DONE), keeps_answer=True)
    clock.skip(60)
    with pytest.raises(AnswerLost):
        await calls.carry_out(ASKED._replace(key="stored"), _answers(DONE), keeps_answer=True)
    assert DONE == await calls.carry_out(ASKED._replace(key="not stored"), _answers(DONE), keeps_answer=True)


async def test_who_was_slower_than_its_claim_stores_nothing_any_more(
    settings: Settings, calls: IdempotentCalls, database: Database, clock: Clock
) -> None:
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def sleeps() -> Answer:
        begun.set()
        await go_on.wait()
        await store(database, "late")
        return DONE

    slow = asyncio.create_task(calls.carry_out(ASKED, sleeps, keeps_answer=True))
    await begun.wait()
    clock.skip(61)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)
    go_on.set()
    with pytest.raises(StillRunning):
        await slow
    assert [(0,)] == rows(settings, "SELECT count(*) FROM dashboard_figures")
    assert DONE.body == (await calls.carry_out(ASKED, sleeps, keeps_answer=True)).body


async def test_what_a_task_stores_behind_the_answer_is_its_own_affair(calls: IdempotentCalls, database: Database) -> None:
    go_on = asyncio.Event()
    behind: list[asyncio.Task[None]] = []

    async def later() -> None:
        await go_on.wait()
        await store(database, "later")

    async def work() -> Answer:
        behind.append(asyncio.create_task(later()))
        return DONE

    await calls.carry_out(ASKED, work, keeps_answer=True)
    with counted_statements() as seen:
        go_on.set()
        await behind[0]
    assert ["INSERT INTO dashboard_figures"] == [statement[:29] for statement in seen]


async def test_a_very_large_answer_is_not_kept_and_nothing_is_done_twice(
    calls: IdempotentCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_BODY_BYTES", 7)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)
    with pytest.raises(AnswerLost):
        await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(settings: Settings) -> None:
    database = Database(settings.database_url)
    calls = IdempotentCalls(bare_services(settings, database))
    async with AsyncExitStack() as held:

        async def work() -> Answer:
            await store(database, "one")
            await held.enter_async_context(others_write(settings))
            return DONE

        assert DONE == await calls.carry_out(ASKED, work, keeps_answer=True)
    with pytest.raises(StillRunning):
        await calls.carry_out(ASKED, work, keeps_answer=True)
    await database.close()
