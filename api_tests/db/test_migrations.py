"""Migrations: up, down, up again; all or nothing; and no table that the code knows otherwise."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from api_tests.db.shape import change, shape, version
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
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.config.option.database == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/wsx.db"
    else:
        with request.getfixturevalue("postgres").empty() as url:
            yield url


def tables(url: str) -> set[str]:
    return {str(name).split(" ")[0] for name, _ in shape(url)}


def test_an_empty_database_gets_every_table(url):
    upgrade(url)
    assert {"users", "api_keys", "announcements", "notifications"} <= tables(url)


def test_doing_it_again_changes_nothing(url):
    upgrade(url)
    before = shape(url), version(url)
    upgrade(url)
    assert before == (shape(url), version(url))


def test_the_code_knows_the_tables_as_they_are(url):
    upgrade(url)
    command.check(alembic_config(url))  # raises where they differ


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE users ADD COLUMN forgotten TEXT", "DROP INDEX ix_messages_undelivered", "DROP TABLE dashboard_figures"],
)
def test_a_table_that_the_code_knows_otherwise_is_noticed(url, statement):
    upgrade(url)
    change(url, statement)
    with pytest.raises(CommandError, match=r"forgotten|ix_messages_undelivered|dashboard_figures"):
        command.check(alembic_config(url))


def test_every_migration_goes_down_and_up_again(url):
    config = alembic_config(url)
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    assert 4 <= len(revisions)
    shapes = []
    for revision in revisions:
        command.upgrade(config, revision)
        shapes.append(shape(url))
        command.downgrade(config, "-1")
        assert (shapes[-2] if len(shapes) > 1 else set()) == shape(url)
        command.upgrade(config, revision)
        assert shapes[-1] == shape(url)
    command.downgrade(config, "base")
    assert (set(), []) == (shape(url), version(url))
    command.upgrade(config, "head")
    assert (shapes[-1], [(revisions[-1],)]) == (shape(url), version(url))


def test_there_is_one_line_of_migrations(url):
    assert 1 == len(ScriptDirectory.from_config(alembic_config(url)).get_heads())


def test_a_migration_that_fails_leaves_nothing_and_can_be_done_again(url):
    config = alembic_config(url)
    command.upgrade(config, "20261123_announcements")
    change(url, "CREATE TABLE notifications (x TEXT)")
    before = shape(url)
    with pytest.raises(DBAPIError, match="already exists"):
        upgrade(url)
    assert (before, [("20261123_announcements",)]) == (shape(url), version(url))
    change(url, "DROP TABLE notifications")
    upgrade(url)
    command.check(config)


def test_processes_that_start_at_once_all_find_the_tables(url):
    # Without what makes a loop complain on a busy machine, which would be taken for an error.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"}
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
    starting = [subprocess.Popen([sys.executable, "-c", FOUR_AT_ONCE, url], **how) for _ in range(PROCESSES)]
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
    assert 1 == len(version(url))


def test_a_database_of_a_newer_version_is_left_alone(url):
    upgrade(url)
    change(url, "UPDATE alembic_version SET version_num = '20991231_future'")
    before = shape(url)
    with pytest.raises(CommandError, match="20991231_future"):
        upgrade(url)
    assert (before, [("20991231_future",)]) == (shape(url), version(url))


def test_the_alembic_command_finds_the_database_of_the_settings(url):
    upgrade(url)
    alembic = Path(sys.executable).parent / "alembic"
    environment = {**os.environ, "WSX_DATABASE_URL": url}
    shown = subprocess.run([alembic, "current"], cwd=MIGRATIONS.parent, env=environment, capture_output=True, text=True, check=True)
    assert "(head)" in shown.stdout


def test_the_statements_can_be_had_without_touching_the_database(url, capsys):
    command.upgrade(alembic_config(url), "head", sql=True)
    statements = capsys.readouterr().out
    for table in ("users", "api_keys", "announcements", "notifications"):
        assert f"CREATE TABLE {table}" in statements
    assert set() == shape(url)
