"""How Alembic reaches the database and the tables."""

import asyncio
import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

import app.features  # noqa: F401 - brings every table into the metadata
from app.db.base import Base
from app.db.turns import key_of
from app.db.url import is_sqlite as is_sqlite_url
from app.settings import Settings

TURN_PAUSE_S = 0.1
"""Seconds between two questions whether another process has ended its migrations."""
LOCK_TIMEOUT_MS = 2_000
"""For a table that others use: behind a migration that waits for it, they wait as well. Then it fails, and can be tried again."""


def database_url() -> str:
    """What the caller gave, else the setting."""
    given: str | None = context.config.attributes.get("url")
    return given or Settings.from_environment(os.environ).database_url


def leave_transactions_to_us(connection: Any, _record: object) -> None:
    """Python's SQLite driver commits tables as they are made; without its help, a transaction holds them too."""
    connection.isolation_level = None


def begin_writing(connection: Connection) -> None:
    """Take the lock of SQLite before the version is read: of two processes that start at once, the second one finds all done."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def take_turn(connection: AsyncConnection) -> None:
    """The same on PostgreSQL, for as long as the connection is open.

    Asked for again and again: who waited inside of a statement would hold up the making of an index, which waits for others' ends.
    """
    while True:
        is_ours = await connection.scalar(text(f"SELECT pg_try_advisory_lock({key_of('migrations')})"))
        await connection.rollback()
        if is_ours:
            return
        await asyncio.sleep(TURN_PAUSE_S)


def run(connection: Connection) -> None:
    """Apply migrations on this connection. When one fails or the power does, SQLite has none of them, PostgreSQL those before."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
        transaction_per_migration=connection.dialect.name != "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open the database and apply migrations."""
    url = database_url()
    options = {} if (is_sqlite := is_sqlite_url(url)) else {"server_settings": {"lock_timeout": str(LOCK_TIMEOUT_MS)}}
    engine = create_async_engine(url, poolclass=NullPool, connect_args=options)
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", leave_transactions_to_us)
        event.listen(engine.sync_engine, "begin", begin_writing)
    try:
        async with engine.connect() as connection:
            if not is_sqlite:
                await take_turn(connection)
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(run_online())
