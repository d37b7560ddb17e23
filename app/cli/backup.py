"""`wsx backup`: a copy of the SQLite file, while the server runs."""

import argparse
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from app.cli.console import STOPPED, Failure, missing_file, read_settings, say
from app.db.lineage import NAME, new_name
from app.db.migrate import FILE_MODE
from app.db.url import file_of

PAGES_AT_ONCE = 1_000
"""Of one step: 4 MiB."""
PAUSE_S = 0.005
"""Seconds between two steps, in which the server has its turn with the disk."""
UNFINISHED = ".unfinished"
"""Behind the name of a copy that is being made: one that was broken off is no backup, and nobody takes it for one."""


def backup(options: argparse.Namespace) -> None:
    settings = read_settings()
    source, target = file_of(settings.database_url), Path(options.file).absolute()
    if source is None:
        message = (
            "WSX_DATABASE_URL is no SQLite file: PostgreSQL has a command of its own, "
            f"pg_dump --format=custom --file={options.file} postgresql://…"
        )
        raise Failure(message)
    if (missing := missing_file(settings)) is not None:
        message = f"there is no database to copy: {missing} (WSX_DATABASE_URL)"
        raise Failure(message)
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        if wrong := _against(target, unfinished):
            raise Failure(wrong)
        with _stopped_by_sigterm():
            _make(source, unfinished, target)
    except (OSError, sqlite3.Error) as error:
        message = f"the copy {target} of {source} cannot be made: {getattr(error, 'strerror', None) or error}"
        raise Failure(message) from None
    say(f"{target}: {target.stat().st_size:,} bytes")


def _against(target: Path, unfinished: Path) -> str:
    """Why no copy can be made there; empty: it can."""
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}: make it first"
    if target.exists():
        return f"{target} is there already, and is not overwritten: give another name"
    if unfinished.exists():
        beside = f"{unfinished.name}-journal"
        return f"{unfinished} is there: of a backup that is being made, or was killed; then remove it, and {beside}"
    return ""


def _make(source: Path, unfinished: Path, target: Path) -> None:
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    try:
        copy(source, unfinished)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(target.parent)


def copy(source: Path, target: Path) -> None:
    """All that was committed when it began. A reading transaction holds that: what is written meanwhile does not begin it anew."""
    with closing(_opened(source)) as held, closing(sqlite3.connect(target)) as copy:
        held.backup(copy, pages=PAGES_AT_ONCE, progress=lambda *_: time.sleep(PAUSE_S))
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute(f"{NAME} = {new_name()}")  # put back, it is another database than the one that was copied
    _sync(target)


def _opened(source: Path) -> sqlite3.Connection:
    """In a transaction that has begun to read."""
    try:
        with ExitStack() as failed:
            connection = failed.enter_context(closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)))
            connection.execute("BEGIN")
            connection.execute("SELECT * FROM sqlite_master").fetchone()
            failed.pop_all()
    except sqlite3.Error as error:
        message = f"the database {source} cannot be read: {error}"
        raise Failure(message) from None
    return connection


def _sync(path: Path) -> None:
    """A file, or the names in a folder, are on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """As Ctrl-C does: by an exception, so that what is half is taken away. Both come through between two steps."""

    def stop(number: int, _frame: object) -> None:
        raise Failure(STOPPED, 128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
