"""A commit of which nobody knows is settled by its idempotency key: done or not, and never twice."""

from typing import Any

import pytest
from sqlalchemy import text

from api_tests.clock import Clock
from api_tests.db.beside import rows
from api_tests.features.bare import bare_services
from api_tests.postgresql_server import Postgres
from api_tests.waiting import eventually_told
from app.db import postgresql
from app.db.session import Database
from app.features.idempotency import IdempotentCalls, store
from app.kernel.errors import AppError
from app.settings import Settings
from app.web.answer import Answer
from app.web.idempotency import Asked

ASKED = Asked("", "order-1", b"f" * 32)
DONE = Answer(201, [], b"{}")
ROOMS = "SELECT id FROM rooms"


@pytest.fixture
def database_url(own_url: str) -> str:
    return own_url


async def test_a_commit_whose_answer_is_lost_is_settled_by_its_key(
    own: Postgres, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POOL_TIMEOUT_S", "ANSWER_TIMEOUT_S", "CONNECT_TIMEOUT_S"):
        monkeypatch.setattr(postgresql, name, 0.5)
    database = Database(settings.database_url)
    mark_stored = store.mark_stored

    def mark_and_freeze(*arguments: Any) -> bool:
        is_ours = mark_stored(*arguments)
        own.freeze()
        return is_ours

    async def work() -> Answer:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO rooms VALUES ('once', 'x', false, now())"))
        return DONE

    async def ask() -> str:
        try:
            return str((await IdempotentCalls(bare_services(settings, database)).carry_out(ASKED, work, keeps_answer=True)).status)
        except AppError as error:
            return error.code

    monkeypatch.setattr(store, "mark_stored", mark_and_freeze)
    try:
        assert "unavailable" == await ask()
    finally:
        own.thaw()
    monkeypatch.setattr(store, "mark_stored", mark_stored)
    clock.skip(61)
    said: list[str] = []

    async def is_settled() -> bool:
        said.append(await ask())
        return said[-1] not in {"still_running", "unavailable"}

    await eventually_told(is_settled)
    assert said[-1] in {"answer_lost", "201"}
    assert [("once",)] == rows(settings, ROOMS)
    await database.close()
