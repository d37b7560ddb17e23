"""What all commands share: talking to the operator, and the settings and database that they name."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.db import migrate
from app.db.session import Database
from app.db.url import file_of, is_sqlite, parse, shown
from app.kernel.errors import Unavailable
from app.settings import Settings, SettingsError

MAX_WORKERS_A_CORE = 8
"""More processes than that for each core of the machine are a slip of the pen: they would only wait for each other."""
STOPPED = "stopped"
"""What a command says that somebody has ended."""
Answer = TypeVar("Answer")


class Failure(Exception):
    """Something the operator must mend; the text says what."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def fail(text: str, status: int) -> NoReturn:
    sys.stderr.write(f"wsx: {text}\n")
    sys.exit(status)


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def remark(text: str) -> None:
    """Beside the command's output, which may be piped elsewhere."""
    sys.stderr.write(text + "\n")


def read_settings(**overrides: object) -> Settings:
    settings = Settings.from_environment(os.environ, **overrides)
    if settings.workers > 1 and not settings.redis_url:
        message = f"WSX_WORKERS is {settings.workers}, and WSX_REDIS_URL is not set: several processes hear of each other by Redis"
        raise SettingsError(message)
    try:
        parse(settings.database_url)
    except ValueError as error:
        message = f"WSX_DATABASE_URL: {error}"
        raise SettingsError(message) from None
    if settings.workers > 1 and is_sqlite(settings.database_url):
        message = (
            f"WSX_WORKERS is {settings.workers}, and a SQLite file is written by one process: WSX_DATABASE_URL is to be PostgreSQL"
        )
        raise SettingsError(message)
    cores = os.cpu_count() or 1
    if settings.workers > (most := MAX_WORKERS_A_CORE * cores):
        message = f"WSX_WORKERS is {settings.workers}, and this machine has {cores} cores: one for each is enough, {most} the most"
        raise SettingsError(message)
    return settings


def missing_file(settings: Settings) -> Path | None:
    """The SQLite file, when it is not there yet."""
    path = file_of(settings.database_url)
    return None if path is None or path.exists() else path


def upgrade(settings: Settings) -> None:
    """Bring the database up to date."""
    with _database_errors(settings):
        migrate.upgrade(settings.database_url)


def migrated() -> Settings:
    """The settings; their database is up to date. One that was not there is made, and named: it may be the wrong folder."""
    settings = read_settings()
    made = missing_file(settings)
    upgrade(settings)
    if made is not None:
        remark(f"made a new database: {made}")
    return settings


def with_database(settings: Settings, use: Callable[[Database], Coroutine[Any, Any, Answer]]) -> Answer:
    async def run() -> Answer:
        database = Database(settings.database_url)
        try:
            return await use(database)
        finally:
            await database.close()

    with _database_errors(settings):
        return asyncio.run(run())


def _open_once(settings: Settings) -> None:
    """Raise Failure where the file may not be written, and an error of SQLite's where it cannot be opened.

    The driver's thread would be refused the same, and may find its loop closed when it tells of it: then it prints a traceback.
    """
    path = file_of(settings.database_url)
    if path is None or not path.exists():
        return
    if path.is_dir():
        message = f"{path} is a folder: WSX_DATABASE_URL names a file"
        raise Failure(message)
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            message = f"the database {path} cannot be used: this user may not write {place}"
            raise Failure(message)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("PRAGMA schema_version")


@contextmanager
def _database_errors(settings: Settings) -> Iterator[None]:
    where = shown(settings.database_url)
    try:
        _open_once(settings)
        yield
    except CommandError as error:
        message = f"the database {where} is of another version than wsx {__version__}, which cannot use it: {error}"
        raise Failure(message) from None
    except Unavailable as error:
        message = f"the database {where} cannot be used: {'; '.join(error.__notes__)}"
        raise Failure(message) from None
    except BrokenPipeError:  # of who reads what is printed
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        message = f"the database {where} cannot be used: {getattr(error, 'orig', error) or 'it does not answer'}"
        raise Failure(message) from None
