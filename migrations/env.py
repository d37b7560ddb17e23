"""How Alembic reaches the database and the tables."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import app.features  # noqa: F401 - brings every table into the metadata
from app.db.base import Base
from app.settings import Settings


def database_url() -> str:
    """What the caller gave, else the setting."""
    given: str | None = context.config.attributes.get("url")
    return given or Settings.from_environment(os.environ).database_url


def run(connection: Connection) -> None:
    """Apply migrations on this connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open the database and apply migrations."""
    engine = create_async_engine(database_url(), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(run_online())
