"""Queries for many ids in one statement: a list of any length is one bound value, so no limit on the number of values is met.

`IN (?, ?, …)` binds each id for itself. SQLite takes 32,766 of them and PostgreSQL 65,535 (32,767 with asyncpg), and each length is
a statement of its own to be prepared.
"""

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.dialects import Executes, is_sqlite

Row = TypeVar("Row")


def among(executes: Executes, column: InstrumentedAttribute[str], ids: Collection[str]) -> ColumnElement[bool]:
    """Whether the column is one of these texts. An index of the column is used. Of no ids: never."""
    if is_sqlite(executes):
        listed: Any = func.json_each(msgspec.json.encode(list(ids)).decode()).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(literal(list(ids), ARRAY(String)))


def in_order_of(session: AsyncSession, query: Select[Row], column: InstrumentedAttribute[Any], one: str) -> Select[Row]:
    """Only the rows whose column is this text, in the order of an index that begins with the column: order them by what follows.

    Of `=` PostgreSQL would know that the order is the same by any index: for one who has many rows, as it believes, it would look
    for them among everybody's newest, however long there have been none.
    """
    is_this = column == one if is_sqlite(session) else among(session, column, [one])
    return query.where(is_this).order_by(column.desc())
