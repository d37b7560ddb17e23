"""How Alembic reaches the database and the tables."""

import asyncio
import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import app.features  # noqa: F401 - brings every table into the metadata
from app.db.base import Base
from app.db.turns import key_of
from app.settings import Settings


def database_url() -> str:
    """What the caller gave, else the setting."""
    given: str | None = context.config.attributes.get("url")
    return given or Settings.from_environment(os.environ).database_url


def leave_transactions_to_us(connection: Any, _record: object) -> None:
    """Python's SQLite driver commits tables as they are made; without its help, a transaction holds them too."""
    connection.isolation_level = None


def begin_writing(connection: Connection) -> None:
    """Take a lock before the version is read: of two processes that start at once, the second one finds all done."""
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else f"SELECT pg_advisory_xact_lock({key_of('migrations')})")


def run(connection: Connection) -> None:
    """Apply migrations on this connection: all of them or, when one fails or the power does, none."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open the database and apply migrations."""
    engine = create_async_engine(database_url(), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", leave_transactions_to_us)
    event.listen(engine.sync_engine, "begin", begin_writing)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(run_online())
