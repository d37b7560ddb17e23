"""Those who use the same database beside the program."""

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from io import BytesIO
from pathlib import Path

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from api_tests.postgresql_server import in_a_thread, plain, query
from app.db.session import Database
from app.db.url import is_sqlite
from app.settings import Settings

SHORT_MS = 50

_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


def path_of(settings: Settings) -> Path:
    """The file of a SQLite database."""
    return Path(settings.database_url.partition(":///")[2])


@asynccontextmanager
async def others_write(settings: Settings) -> AsyncIterator[None]:
    """Somebody else keeps the program from writing for as long as the block: another process, or another client."""
    if is_sqlite(settings.database_url):
        command = sys.executable, "-c", _HOLDER, str(path_of(settings))
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert b"held\n" == await process.stdout.readline()
        try:
            yield
        finally:
            await process.communicate(b"")
        return
    connection = await asyncpg.connect(plain(settings.database_url))
    try:
        async with connection.transaction():
            tables = ", ".join(row["tablename"] for row in await connection.fetch(_TABLES))
            await connection.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")  # who only reads need not wait
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def storing(settings: Settings) -> AsyncIterator[AsyncSession]:
    """A transaction of somebody else."""
    database = Database(settings.database_url)
    try:
        async with database.transaction() as session:
            yield session
    finally:
        await database.close()


def rows(settings: Settings, asked: str) -> list[tuple[object, ...]]:
    """What is stored, read past all of our code.

    It does not wait: while the program makes a SQLite file a WAL, which locks it, it needs the loop that would wait here.
    """
    if not is_sqlite(settings.database_url):
        return query(settings.database_url, asked)
    with closing(sqlite3.connect(path_of(settings), timeout=0)) as connection:
        try:
            return connection.execute(asked).fetchall()
        except sqlite3.OperationalError as error:
            return [(str(error),)]


def is_done(settings: Settings, statement: str) -> bool:
    """Whether the statement could be carried out. Not while the server writes: to wait for it here would keep it from ending."""
    try:
        if is_sqlite(settings.database_url):
            with closing(sqlite3.connect(path_of(settings), timeout=0)) as connection, connection:
                connection.execute(statement)
        else:
            query(f"{settings.database_url}?lock_timeout={SHORT_MS}", statement)
    except (sqlite3.OperationalError, asyncpg.LockNotAvailableError):
        return False
    return True


def all_stored(settings: Settings, *, but: str = "") -> str:
    """Every row of every table, but for one where it is named, as text."""
    if is_sqlite(settings.database_url):
        with closing(sqlite3.connect(path_of(settings))) as connection:
            return "\n".join(line for line in connection.iterdump() if not line.startswith(f'INSERT INTO "{but}"'))
    return in_a_thread(_copied(settings.database_url, but))


async def _copied(url: str, but: str) -> str:
    copied = BytesIO()
    connection = await asyncpg.connect(plain(url))
    try:
        for (table,) in await connection.fetch(_TABLES):
            if table != but:
                await connection.copy_from_table(table, output=copied)
    finally:
        await connection.close()
    return copied.getvalue().decode()
