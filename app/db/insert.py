"""INSERT with ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy has for each of its own."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base


def insert_into(session: AsyncSession, row: type[Base]) -> Any:
    """A statement with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database of this session.

    `Any`: the two dialects' classes have these methods in common, and no type.
    """
    table: Table = row.__table__  # type: ignore[assignment]  # declarative tables are typed as FromClause
    return sqlite.insert(table) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(table)
