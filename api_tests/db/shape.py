"""What a database looks like, asked of itself, past SQLAlchemy."""

import sqlite3
from contextlib import closing
from pathlib import Path

from api_tests.postgresql_server import query
from app.db.url import is_sqlite

_COLUMNS = """
SELECT table_name || ' ' || column_name,
  concat_ws(' ', data_type, character_maximum_length, collation_name, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
_INDEXES = """
SELECT tablename || ' ' || indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_CONSTRAINTS = """
SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
"""
_TABLES = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
_VERSION = "SELECT version_num FROM alembic_version"


def shape(url: str) -> set[tuple[object, ...]]:
    """All that is not Alembic's own: tables and indexes, on PostgreSQL columns and constraints, too. Each a name and what it is."""
    if is_sqlite(url):
        return set(ask(url, _TABLES)) if _path(url).exists() else set()
    has_version = ask(url, "SELECT to_regclass('alembic_version') IS NOT NULL") == [(True,)]
    constraints = _CONSTRAINTS if has_version else _CONSTRAINTS.rpartition("AND")[0]
    return {row for statement in (_COLUMNS, _INDEXES, constraints) for row in ask(url, statement)}


def version(url: str) -> list[tuple[object, ...]]:
    return ask(url, _VERSION)


def change(url: str, statement: str) -> None:
    ask(url, statement)


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    if not is_sqlite(url):
        return query(url, statement)
    with closing(sqlite3.connect(_path(url))) as connection, connection:
        return connection.execute(statement).fetchall()


def _path(url: str) -> Path:
    return Path(url.partition(":///")[2])
