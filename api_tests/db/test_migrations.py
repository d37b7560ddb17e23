"""Migrations: up, down, up again; all or nothing; and no table that the code knows otherwise."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from app.db.migrate import MIGRATIONS, alembic_config, upgrade

PROCESSES = 4
FOUR_AT_ONCE = """
import sys
from app.db.migrate import upgrade
print("ready", flush=True)
sys.stdin.read()
upgrade(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "wsx.db"


@pytest.fixture
def url(path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def schema(path: Path) -> set[tuple[str, str]]:
    """Every table and index that is not Alembic's own."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'")
        return set(found.fetchall())


def version(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_an_empty_folder_gets_every_table(path, url):
    upgrade(url)
    assert {"users", "api_keys", "announcements", "notifications"} <= {name for name, _ in schema(path)}


def test_doing_it_again_changes_nothing(path, url):
    upgrade(url)
    before = path.read_bytes()
    upgrade(url)
    assert before == path.read_bytes()


def test_the_code_knows_the_tables_as_they_are(url):
    upgrade(url)
    command.check(alembic_config(url))  # raises where they differ


def test_a_table_that_the_code_knows_otherwise_is_noticed(path, url):
    upgrade(url)
    change(path, "ALTER TABLE users ADD COLUMN forgotten TEXT")
    with pytest.raises(CommandError, match="forgotten"):
        command.check(alembic_config(url))


def test_every_migration_goes_down_and_up_again(path, url):
    path.parent.mkdir()
    config = alembic_config(url)
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    assert 4 <= len(revisions)
    shapes = []
    for revision in revisions:
        command.upgrade(config, revision)
        shapes.append(schema(path))
        command.downgrade(config, "-1")
        assert (shapes[-2] if len(shapes) > 1 else set()) == schema(path)
        command.upgrade(config, revision)
        assert shapes[-1] == schema(path)
    command.downgrade(config, "base")
    assert (set(), []) == (schema(path), version(path))
    command.upgrade(config, "head")
    assert (shapes[-1], [(revisions[-1],)]) == (schema(path), version(path))


def test_there_is_one_line_of_migrations(url):
    assert 1 == len(ScriptDirectory.from_config(alembic_config(url)).get_heads())


def test_a_migration_that_fails_leaves_nothing_and_can_be_done_again(path, url):
    path.parent.mkdir()
    config = alembic_config(url)
    command.upgrade(config, "20261123_users")
    change(path, "CREATE TABLE notifications (x)")
    before = schema(path)
    with pytest.raises(OperationalError, match="already exists"):
        upgrade(url)
    assert (before, [("20261123_users",)]) == (schema(path), version(path))
    change(path, "DROP TABLE notifications")
    upgrade(url)
    command.check(config)


def test_processes_that_start_at_once_all_find_the_tables(path, url):
    path.parent.mkdir()
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", FOUR_AT_ONCE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    for process in starting:
        assert b"ready\n" == process.stdout.readline()
    for process in starting:
        process.stdin.close()
    ended = []
    for process in starting:
        process.stdin = None
        _, err = process.communicate()
        ended.append((process.returncode, err))
    assert [(0, b"")] * PROCESSES == ended
    assert 1 == len(version(path))


def test_a_database_of_a_newer_version_is_left_alone(path, url):
    upgrade(url)
    change(path, "UPDATE alembic_version SET version_num = '20991231_future'")
    before = path.read_bytes()
    with pytest.raises(CommandError, match="20991231_future"):
        upgrade(url)
    assert before == path.read_bytes()


def test_the_alembic_command_finds_the_database_of_the_settings(path, url, tmp_path):
    upgrade(url)
    alembic = Path(sys.executable).parent / "alembic"
    environment = {**os.environ, "WSX_DATABASE_URL": url}
    shown = subprocess.run([alembic, "current"], cwd=MIGRATIONS.parent, env=environment, capture_output=True, text=True, check=True)
    assert "(head)" in shown.stdout


def test_the_statements_can_be_had_without_a_database(url, path, capsys):
    command.upgrade(alembic_config(url), "head", sql=True)
    statements = capsys.readouterr().out
    for table in ("users", "api_keys", "announcements", "notifications"):
        assert f"CREATE TABLE {table}" in statements
    assert not path.exists()


def test_a_database_in_memory_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    upgrade("sqlite+aiosqlite://")
    assert [] == list(tmp_path.iterdir())
