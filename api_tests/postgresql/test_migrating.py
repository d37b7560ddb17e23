"""Migrations while the version before still serves: nobody who writes waits for one."""

import asyncio
import sys

import asyncpg
import pytest
from alembic import command
from sqlalchemy.exc import DBAPIError

from api_tests.postgresql_server import Postgres, plain
from api_tests.waiting import MS, SOON_S, eventually_told
from app.db.migrate import alembic_config, upgrade

BEFORE = "20261127_audit_connections"
"""Before the first migration that makes indexes of tables that may be long."""
BEFORE_A_COLUMN = "20261127_revocations"
USER = "INSERT INTO users (id, name, roles, created_at) VALUES ($1, 'x', '[]', now())"
NOTE = (
    "INSERT INTO notifications (id, user_id, type, title, message, created_at) "
    "VALUES (gen_random_uuid(), $1, 'info', 'x', 'x', now())"
)
UPGRADE = "import sys; from app.db.migrate import upgrade; upgrade(sys.argv[1])"
MAKING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"


@pytest.fixture
def database_url(postgres: Postgres):
    """As the version before left it."""
    with postgres.empty() as url:
        command.upgrade(alembic_config(url), BEFORE)
        yield url


async def test_who_writes_does_not_wait_for_an_index_that_waits_for_others(database_url: str) -> None:
    slow, quick = [await asyncpg.connect(plain(database_url)) for _ in range(2)]
    try:
        await quick.execute(USER, "ada")
        await quick.execute(f"SET lock_timeout = {round(SOON_S / MS)}")
        held = slow.transaction()
        await held.start()
        await slow.execute(NOTE, "ada")
        migrating = [await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, database_url) for _ in range(2)]
        await eventually_told(lambda: quick.fetchval(MAKING))
        await quick.execute(NOTE, "ada")
        assert [None, None] == [process.returncode for process in migrating]
        await held.commit()
        assert [0, 0] == [await process.wait() for process in migrating]
        assert 2 == await quick.fetchval("SELECT count(*) FROM notifications")
        assert [] == await quick.fetch("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")
    finally:
        for connection in (slow, quick):
            await connection.close()


async def test_an_index_that_was_left_half_made_is_made_anew(database_url: str) -> None:
    connection = await asyncpg.connect(plain(database_url))
    try:
        await connection.execute("CREATE INDEX ix_notifications_listed ON notifications (title)")
        await connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_notifications_listed'::regclass")
        await asyncio.to_thread(upgrade, database_url)
        made = await connection.fetchval("SELECT pg_get_indexdef('ix_notifications_listed'::regclass)")
        assert "(user_id, id) WHERE (archived_at IS NULL)" in made
    finally:
        await connection.close()


async def test_a_table_that_somebody_holds_is_left_as_it_is_and_changed_by_the_next_start(postgres: Postgres) -> None:
    """Who waits for a table makes all others wait that come behind."""
    with postgres.empty() as url:
        await asyncio.to_thread(command.upgrade, alembic_config(url), BEFORE_A_COLUMN)
        connection = await asyncpg.connect(plain(url))
        try:
            held = connection.transaction()
            await held.start()
            await connection.execute("SELECT 1 FROM api_keys")
            with pytest.raises(DBAPIError, match="lock timeout"):
                await asyncio.to_thread(upgrade, url)
            assert BEFORE_A_COLUMN == await connection.fetchval("SELECT version_num FROM alembic_version")
            await held.rollback()
            await asyncio.to_thread(upgrade, url)
        finally:
            await connection.close()
