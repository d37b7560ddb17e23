"""Each migration only adds, so that the version before serves on: read from the statements that it would carry out."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import pytest
from alembic import command

from app.db.migrate import alembic_config

BEFORE_THE_FIRST_VERSION = {"20261124_inbox", "20261124_schedule", "20261127_audit_connections"}
"""Migrations that do more, of when there was no version that could have served beside them. No further one belongs here."""
REPLACED = {"ix_notifications_waiting", "ix_notifications_user_id_id", "ix_notifications_undelivered"}
"""Indexes that are dropped, each behind others that were made for whatever the version before reads by it. That is looked at by
hand, with the plans of its queries: nothing here could tell."""
_TYPE = r"(?:VARCHAR\(\d+\)|TEXT|UUID|JSON|BOOLEAN|SMALLINT|INTEGER|BIGINT|FLOAT|BYTEA|TIMESTAMP WITH TIME ZONE)"
_CONSTANT = r"(?:'[^']*'|-?\d+(?:\.\d+)?|true|false)"
ADDS = (
    r"BEGIN|COMMIT|SET lock_timeout = (0|DEFAULT)",
    r"INSERT INTO alembic_version \(version_num\) VALUES \('\w+'\)(?: RETURNING [\w.]+)?",
    r"UPDATE alembic_version SET version_num='\w+' WHERE alembic_version\.version_num = '\w+'",
    r"CREATE TABLE \w+ \((?:(?!REFERENCES).)*\)",
    r"CREATE FUNCTION \w+\(\) RETURNS trigger LANGUAGE plpgsql AS \$\$",
    rf"ALTER TABLE \w+ ADD COLUMN \w+ {_TYPE}(?: DEFAULT {_CONSTANT}(?: NOT NULL)?)?",
    r"CREATE INDEX CONCURRENTLY \w+ ON \w+ \(\w+(?:, \w+)*\)(?: WHERE .*)?",
)
"""Whole statements: what is not here is not known to leave the version before alone."""
OF_A_NEW_TABLE = r"CREATE (?:UNIQUE INDEX|INDEX|TRIGGER) [\w ]+ ON (\w+)\b.*"
REFERENCE = r"REFERENCES (\w+) \(\w+\)(?: ON DELETE (CASCADE|SET NULL))?"
DROPPED = r"DROP INDEX CONCURRENTLY IF EXISTS (\w+)"
MADE = r"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(\w+) .*"


def statements_of(printed: str) -> Iterator[tuple[str, list[str]]]:
    """Each migration with its statements, on one line each."""
    parts = re.split(r"^-- Running upgrade (?:\w+)? ?-> (\w+)$", printed, flags=re.MULTILINE)
    for revision, text in zip(parts[1::2], parts[2::2], strict=True):
        whole = re.sub(r"\$\$.*?\$\$", "$$", text, flags=re.DOTALL)
        yield revision, [" ".join(one.split()) for one in whole.split(";") if one.strip()]


def found_by(pattern: str, statements: Iterable[str]) -> set[str]:
    """The names in those that are like this."""
    return {match[1] for one in statements if (match := re.fullmatch(pattern, one)) is not None}


def what_is_not_added(statements: Sequence[str], before: Sequence[str] = ()) -> list[str]:
    """Those that a version which does not know of them could meet: it waits for them, or finds something gone or otherwise.

    `before`: the statements of all earlier migrations.
    """
    tables = found_by(r"CREATE TABLE (\w+) .*", statements)
    indexes = (found_by(MADE, statements) - found_by(MADE, before)) | REPLACED
    return [one for one in statements if not _adds(one, tables, indexes)]


def _adds(statement: str, tables: Collection[str], indexes: Collection[str]) -> bool:
    """Whether it does no more; with tables that are new, and indexes that are, or may be dropped."""
    if (of := re.fullmatch(OF_A_NEW_TABLE, statement)) is not None and of[1] in tables:
        return True
    if (dropped := re.fullmatch(DROPPED, statement)) is not None:
        return dropped[1] in indexes
    if statement.startswith("CREATE TABLE "):  # what the version before deletes must not be held by rows that it does not know of
        statement = re.sub(REFERENCE, lambda to: "" if to[1] in tables or to[2] else to[0], statement)
    return any(re.fullmatch(known, statement) for known in ADDS)


def test_every_migration_only_adds(capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(alembic_config("postgresql+asyncpg://nobody@nowhere/none"), "head", sql=True)
    found = dict(statements_of(capsys.readouterr().out))
    assert 10 < len(found)
    wrong, before = {}, []
    for revision, statements in found.items():
        wrong[revision] = what_is_not_added(statements, before)
        before += statements
    assert BEFORE_THE_FIRST_VERSION == {revision for revision, statements in wrong.items() if statements}, wrong


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users DROP COLUMN status",
        "ALTER TABLE users RENAME COLUMN status TO mood",
        "ALTER TABLE users ALTER COLUMN name TYPE TEXT",
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20) NOT NULL",
        "CREATE INDEX ix_users_name ON users (name)",
        "DROP INDEX ix_users_name",
        "DROP TABLE users",
        "UPDATE users SET status = ''",
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20), DROP COLUMN status",
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20) UNIQUE",
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20) CHECK (mood <> '')",
        "ALTER TABLE messages ADD COLUMN reply UUID REFERENCES messages (id)",
        "ALTER TABLE users ADD COLUMN mood UUID DEFAULT gen_random_uuid() NOT NULL",
        "ALTER TABLE users ADD COLUMN mood VARCHAR(20) DEFAULT now() || ''",
        "CREATE UNIQUE INDEX CONCURRENTLY ix_users_name ON users (name)",
        "CREATE INDEX CONCURRENTLY ix_users_name ON users (volatile(name))",
        "DROP INDEX CONCURRENTLY ix_messages_room_id_id",
        "DROP INDEX CONCURRENTLY IF EXISTS ix_messages_room_id_id",
        "CREATE TABLE moods ( user_id VARCHAR(64) REFERENCES users (id) )",
        "CREATE TABLE moods ( user_id VARCHAR(64) REFERENCES users (id) ON DELETE RESTRICT )",
        "CREATE TRIGGER kept BEFORE UPDATE ON users EXECUTE FUNCTION kept()",
    ],
)
def test_what_the_version_before_would_meet_is_noticed(statement: str) -> None:
    assert [statement] == what_is_not_added([statement])


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE x ( id INTEGER )", "CREATE UNIQUE INDEX ix_x_id ON x (id)"],
        ["ALTER TABLE users ADD COLUMN mood VARCHAR(20)"],
        ["ALTER TABLE users ADD COLUMN mood VARCHAR(20) DEFAULT '' NOT NULL"],
        ["CREATE INDEX CONCURRENTLY ix_users_name ON users (name)"],
        ["DROP INDEX CONCURRENTLY IF EXISTS ix_x", "CREATE INDEX CONCURRENTLY ix_x ON users (name) WHERE name <> ''"],
        ["CREATE TABLE moods ( user_id VARCHAR(64) REFERENCES users (id) ON DELETE CASCADE )"],
        ["CREATE TABLE x ( id INTEGER )", "CREATE TABLE y ( x INTEGER REFERENCES x (id) )"],
    ],
)
def test_what_only_adds_may_be(statements: list[str]) -> None:
    assert [] == what_is_not_added(statements)


def test_an_index_of_before_is_not_made_anew_in_its_place() -> None:
    before = ["CREATE INDEX ix_x ON users (name)"]
    drop = "DROP INDEX CONCURRENTLY IF EXISTS ix_x"
    assert [drop] == what_is_not_added([drop, "CREATE INDEX CONCURRENTLY ix_x ON users (id)"], before)
