"""For which database a statement is written: that of a session, or of a connection that is used in a thread."""

from sqlalchemy import Connection, Dialect
from sqlalchemy.ext.asyncio import AsyncSession

Executes = AsyncSession | Connection
"""Carries out statements."""


def dialect_of(executes: Executes) -> Dialect:
    """The dialect of its database."""
    return executes.dialect if isinstance(executes, Connection) else executes.get_bind().dialect


def is_sqlite(executes: Executes) -> bool:
    """Whether it is SQLite; else PostgreSQL."""
    return dialect_of(executes).name == "sqlite"
