"""`wsx backup`: a copy of the SQLite file, while the server runs."""

import argparse
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.cli.console import Failure, missing_file, read_settings, say
from app.db.migrate import FILE_MODE
from app.db.url import file_of

PAGES_AT_ONCE = 1_000
"""Of one step: 4 MiB. Between two steps the server has its turn with the disk."""
PAUSE_S = 0.005
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
    for one in (target, unfinished):
        if one.exists():
            message = f"{one} is there already, and is not overwritten: give another name"
            raise Failure(message)
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        try:
            copy(source, unfinished)
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        message = f"the copy {target} cannot be made: {getattr(error, 'strerror', None) or error}"
        raise Failure(message) from None
    say(f"{target}: {target.stat().st_size:,} bytes")


def copy(source: Path, target: Path) -> None:
    """All that was committed when it began. A reading transaction holds that: what is written meanwhile does not begin it anew."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as held, closing(sqlite3.connect(target)) as copy:
        held.execute("BEGIN")
        held.execute("SELECT * FROM sqlite_master").fetchone()
        held.backup(copy, pages=PAGES_AT_ONCE, sleep=PAUSE_S)
        copy.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as written:
        os.fsync(written.fileno())
