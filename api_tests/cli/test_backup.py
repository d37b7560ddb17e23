"""`wsx backup`: a file of its own, complete, for nobody else's eyes, and never in place of another."""

import asyncio
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from contextlib import closing

import pytest

from api_tests.waiting import SOON_S, eventually
from app.cli import backup

SLOW = """
from app.cli import backup
from app.cli.command import main
backup.PAGES_AT_ONCE, backup.PAUSE_S = 1, 0.5
main()
"""
"""A copy that takes half a minute. Python notices a signal between two pauses where it comes in the moment before one begins."""


@pytest.fixture
def migrated(wsx):
    assert 0 == wsx("migrate").status


def test_a_copy_has_all_tables_and_is_for_its_owner_alone(wsx, operator, migrated):
    done = wsx("backup", "copy.db")
    path = operator.folder / "copy.db"
    assert (0, f"{path}: {path.stat().st_size:,} bytes\n", "") == (done.status, done.out, done.err)
    assert 0o600 == path.stat().st_mode & 0o777
    with closing(sqlite3.connect(path)) as copy:
        assert [(0,)] == copy.execute("SELECT count(*) FROM messages").fetchall()
    assert {"copy.db"} == {one.name for one in operator.folder.iterdir() if one.name.startswith("copy.db")}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("copy.db", "is there already, and is not overwritten: give another name"),
        (
            "copy.db.unfinished",
            "is there: of a backup that is being made, or was killed; then remove it, and copy.db.unfinished-journal",
        ),
    ],
)
def test_a_file_that_is_there_is_left_as_it_is(wsx, operator, migrated, name, said):
    path = operator.folder / name
    path.write_text("something else")
    done = wsx("backup", "copy.db")
    assert (1, f"wsx: {path} {said}\n") == (done.status, done.err)
    assert "something else" == path.read_text()


def test_what_cannot_be_copied_is_said_in_a_line(wsx, operator):
    missing = wsx("backup", "copy.db")
    assert f"wsx: there is no database to copy: {operator.folder}" in missing.err
    wsx("migrate")
    nowhere = wsx("backup", "none/copy.db")
    assert (1, f"wsx: there is no folder {operator.folder}/none: make it first\n") == (nowhere.status, nowhere.err)
    operator.database.write_bytes(b"This is a letter, and no database at all.")
    letter = wsx("backup", "copy.db")
    assert (1, f"wsx: the database {operator.database} cannot be read: file is not a database\n") == (letter.status, letter.err)
    assert [] == [one.name for one in operator.folder.iterdir() if one.name.startswith("copy.db")]


def test_a_copy_that_is_broken_off_leaves_nothing(wsx, operator, migrated, monkeypatch):
    def broken(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backup, "copy", broken)
    done = wsx("backup", "copy.db")
    assert f"wsx: the copy {operator.folder}/copy.db of {operator.database} cannot be made: database or disk is full\n" == done.err
    assert [] == [one.name for one in operator.folder.iterdir() if one.name.startswith("copy.db")]


def test_for_postgresql_its_own_command_is_named(wsx):
    done = wsx("backup", "copy.db", database_url="postgresql+asyncpg://wsx:sesame@localhost/wsx")
    assert 1 == done.status
    assert "pg_dump --format=custom --file=copy.db" in done.err
    assert "sesame" not in done.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_one_that_is_told_to_end_does_so_in_the_middle_and_leaves_nothing(operator, migrated, number, status):
    def copies():
        return {one.name: one.stat().st_size for one in operator.folder.iterdir() if one.name.startswith("copy.db")}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SLOW, "backup", "copy.db"), cwd=operator.folder, env=operator.environment(), stderr=PIPE
    )
    try:
        await eventually(lambda: "copy.db.unfinished-journal" in copies())
        process.send_signal(number)
        async with asyncio.timeout(SOON_S):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (status, b"wsx: stopped\n") == (process.returncode, err)
    assert {} == copies()


def test_between_two_steps_the_server_has_its_turn(wsx, operator, migrated, monkeypatch):
    pages = 8
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", pages)
    monkeypatch.setattr(backup, "PAUSE_S", 0.02)
    began = time.monotonic()
    assert 0 == wsx("backup", "copy.db").status
    with closing(sqlite3.connect(operator.folder / "copy.db")) as copy:
        ((count,),) = copy.execute("PRAGMA page_count").fetchall()
    assert 4 <= count // pages
    assert time.monotonic() - began >= count // pages * backup.PAUSE_S
