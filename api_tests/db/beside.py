"""Those who use the same database beside the program."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import event

from app.db.session import Database
from app.settings import Settings

SHORT_MS = 50

_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def path_of(settings: Settings) -> Path:
    return Path(settings.database_url.partition(":///")[2])


def impatient(database: Database) -> Database:
    """It waits for other processes for a moment only."""
    event.listen(
        database.engine.sync_engine, "connect", lambda connection, _: connection.execute(f"PRAGMA busy_timeout={SHORT_MS}")
    )
    return database


@contextmanager
def another_process_writes(path: Path) -> Iterator[None]:
    """It holds the write lock for as long as the block."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert "held\n" == process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """What is on disk, read past all of our code.

    It does not wait: while the program makes the file a WAL, which locks it, it needs the loop that would wait here.
    """
    with closing(sqlite3.connect(path_of(settings), timeout=0)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            return [(str(error),)]


def is_done(database: sqlite3.Connection, statement: str) -> bool:
    """Whether the statement could be carried out. Not while the server writes: to wait for it here would keep it from ending."""
    try:
        database.execute(statement)
    except sqlite3.OperationalError:
        return False
    return True
