"""Brings a database to the newest form of the tables, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.db.url import file_of

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"
FILE_MODE = 0o600
"""Of a new SQLite file, and of those that SQLite puts beside it: private messages are in it."""


class Form(Enum):
    """How the tables of a database stand to those of this version."""

    NONE = auto()
    OLDER = auto()
    NEWEST = auto()


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, from whatever working directory."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Apply all migrations that the database has not seen. Blocks; call it before the event loop runs, or in a thread.

    On SQLite all or none; on PostgreSQL one after the other, each whole or not at all, but for what is done beside writers.
    """
    path = file_of(url)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(FILE_MODE)
    command.upgrade(alembic_config(url), "head")


@contextmanager
def beside_writers() -> Iterator[None]:
    """For what a migration does `CONCURRENTLY` on PostgreSQL: outside of a transaction, so that a failure undoes nothing of it.

    It waits for all transactions to end that began earlier, a dump's as well, and nobody waits behind it. On SQLite it is a part of
    the transaction as ever.
    """
    context = op.get_context()
    if context.dialect.name == "sqlite":
        yield
        return
    with context.autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("SET lock_timeout = DEFAULT")


def form_of(connection: Connection) -> Form:
    """How far the database has been brought. Raises CommandError where that was done by a newer version."""
    script = ScriptDirectory(str(MIGRATIONS))
    found = MigrationContext.configure(connection).get_current_heads()
    for revision in found:
        script.get_revision(revision)
    return Form.NONE if not found else Form.NEWEST if set(found) == set(script.get_heads()) else Form.OLDER
