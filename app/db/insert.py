"""INSERT with ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy has for each of its own."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base, table_of
from app.db.dialects import Executes, is_sqlite

Row = TypeVar("Row", bound=Base)


def insert_into(executes: Executes, row: type[Base]) -> Any:
    """A statement with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database that is meant.

    `Any`: the two dialects' classes have these methods in common, and no type.
    """
    table = table_of(row)
    return sqlite.insert(table) if is_sqlite(executes) else postgresql.insert(table)


async def ensure(session: AsyncSession, row: type[Row], values: Mapping[str, Any]) -> tuple[Row, bool]:
    """Make a row, unless there is one with its key. Returns the one that there is, and whether it is new.

    Nobody deletes it until the transaction ends.
    """
    keys = list(table_of(row).primary_key.columns)
    insert = insert_into(session, row).values(values).on_conflict_do_nothing(index_elements=keys).returning(*keys)
    key = tuple(values[column.name] for column in keys)
    while True:
        is_new = (await session.execute(insert)).first() is not None
        found = await session.get(row, key, with_for_update={"read": True, "key_share": True})
        if found is not None:  # else it was deleted between the two statements, and is made anew
            return found, is_new
