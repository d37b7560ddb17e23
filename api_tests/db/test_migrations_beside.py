"""Each migration only adds, so that the version before serves on: read from the statements that it would carry out."""

import re
from collections.abc import Iterator

import pytest
from alembic import command

from app.db.migrate import alembic_config

BEFORE_THE_FIRST_VERSION = {"20261124_inbox", "20261124_schedule", "20261127_audit_connections"}
"""Migrations that do more, of when there was no version that could have served beside them. No further one belongs here."""
ADDS = (
    r"BEGIN|COMMIT|SET lock_timeout = (0|DEFAULT)",
    r"(INSERT INTO|UPDATE|CREATE TABLE) alembic_version\b.*",
    r"CREATE TABLE \w+ .*",
    r"CREATE FUNCTION .*",
    r"ALTER TABLE \w+ ADD COLUMN (?:(?!NOT NULL).)*",
    r"ALTER TABLE \w+ ADD COLUMN .* DEFAULT .*",
    r"(CREATE|DROP) INDEX CONCURRENTLY .*",
)
OF_A_NEW_TABLE = r"CREATE (?:UNIQUE )?(?:INDEX|TRIGGER) .*? ON (\w+)\b.*"


def statements_of(printed: str) -> Iterator[tuple[str, list[str]]]:
    """Each migration with its statements, on one line each."""
    parts = re.split(r"^-- Running upgrade (?:\w+)? ?-> (\w+)$", printed, flags=re.MULTILINE)
    for revision, text in zip(parts[1::2], parts[2::2], strict=True):
        whole = re.sub(r"\$\$.*?\$\$", "$$", text, flags=re.DOTALL)
        yield revision, [" ".join(one.split()) for one in whole.split(";") if one.strip()]


def what_is_not_added(statements: list[str]) -> list[str]:
    """Those that a version which does not know of them could meet: it waits for them, or finds something gone or otherwise."""
    new = {match[1] for one in statements if (match := re.match(r"CREATE TABLE (\w+)", one))}
    return [
        one
        for one in statements
        if not any(re.fullmatch(known, one) for known in ADDS)
        and not ((of := re.fullmatch(OF_A_NEW_TABLE, one)) is not None and of[1] in new)
    ]


def test_every_migration_only_adds(capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(alembic_config("postgresql+asyncpg://nobody@nowhere/none"), "head", sql=True)
    found = dict(statements_of(capsys.readouterr().out))
    assert 10 < len(found)
    assert BEFORE_THE_FIRST_VERSION == {revision for revision, statements in found.items() if what_is_not_added(statements)}


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
    ],
)
def test_what_only_adds_may_be(statements: list[str]) -> None:
    assert [] == what_is_not_added(statements)
