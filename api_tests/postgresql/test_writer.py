"""The writer with a real server: a commit whose answer is late is settled, and who is in the way of others is so alone."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from api_tests.db.beside import rows
from api_tests.postgresql_server import Postgres
from api_tests.waiting import eventually
from app.db import lanes, postgresql
from app.db.session import Database
from app.db.writes import Kind
from app.features.users import ensuring, named
from app.kernel.errors import Unavailable
from app.settings import Settings

IDS = "SELECT id FROM users ORDER BY id"


@pytest.fixture
def database_url(own_url: str) -> str:
    return own_url


async def test_a_commit_whose_answer_is_late_is_done_again_and_stored_once(
    own: Postgres, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POOL_TIMEOUT_S", "ANSWER_TIMEOUT_S", "CONNECT_TIMEOUT_S"):
        monkeypatch.setattr(postgresql, name, 0.3)
    monkeypatch.setattr(lanes, "SETTLE_S", 20.0)
    database = Database(settings.database_url)
    tries: list[int] = []

    def store_and_freeze(connection: Connection, ids: Sequence[str]) -> Sequence[None]:
        connection.execute(*ensuring(connection, [named(one) for one in ids]))
        if not tries:
            own.freeze()
        tries.append(len(ids))
        return [None] * len(ids)

    users: Kind[str, None] = Kind("users", store_and_freeze)
    writing = [asyncio.create_task(database.write(users, one, lane="a")) for one in ("ada", "bob")]
    try:
        await eventually(lambda: tries and not database.engine.pool.checkedout())  # its connection was given up
        assert not any(task.done() for task in writing)
    finally:
        own.thaw()
    await asyncio.gather(*writing)
    assert [2, 2] == tries
    assert [("ada",), ("bob",)] == rows(settings, IDS)
    await database.close()


async def test_who_is_rolled_back_in_favour_of_others_is_so_alone(settings: Settings) -> None:
    def store(connection: Connection, ids: Sequence[str]) -> Sequence[None]:
        connection.execute(*ensuring(connection, [named(one) for one in ids]))
        if "deadlock" in ids:
            connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"))
        return [None] * len(ids)

    users: Kind[str, None] = Kind("users", store)
    database = Database(settings.database_url)
    ids = ["ada", "bob", "deadlock", "eve"]
    outcomes = await asyncio.gather(*(database.write(users, one, lane="a") for one in ids), return_exceptions=True)
    assert [None, None, Unavailable, None] == [one and type(one).__base__ for one in outcomes]
    assert [("ada",), ("bob",), ("eve",)] == rows(settings, IDS)
    await database.close()
