"""Queries for many ids in one statement: a list of any length is one bound value, so no limit on the number of values is met.

`IN (?, ?, …)` binds each id for itself. SQLite takes 32,766 of them and PostgreSQL 65,535 (32,767 with asyncpg), and each length is
a statement of its own to be prepared.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, bindparam, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from app.db.dialects import Executes, is_sqlite

Row = TypeVar("Row")

_IDS: Final = "ids"
_ONE: Final = "one"


def among(executes: Executes, column: InstrumentedAttribute[str], ids: Collection[str]) -> ColumnElement[bool]:
    """Whether the column is one of these texts. An index of the column is used. Of no ids: never."""
    on_sqlite = is_sqlite(executes)
    return _is_in(column, literal(_value(executes, ids), _type(on_sqlite=on_sqlite)), on_sqlite=on_sqlite)


def among_bound(column: InstrumentedAttribute[str], *, on_sqlite: bool) -> ColumnElement[bool]:
    """The same for a statement that is made once; executed with `bound`."""
    return _is_in(column, bindparam(_IDS, type_=_type(on_sqlite=on_sqlite)), on_sqlite=on_sqlite)


def bound(executes: Executes, ids: Collection[str]) -> Mapping[str, Any]:
    """The values of a statement with `among_bound`."""
    return {_IDS: _value(executes, ids)}


def _type(*, on_sqlite: bool) -> TypeEngine[Any]:
    return String() if on_sqlite else ARRAY(String)


def _value(executes: Executes, ids: Collection[str]) -> Any:
    return msgspec.json.encode(list(ids)).decode() if is_sqlite(executes) else list(ids)


def _is_in(column: InstrumentedAttribute[str], given: Any, *, on_sqlite: bool) -> ColumnElement[bool]:
    if on_sqlite:
        return column.in_(select(func.json_each(given).table_valued("value").c.value))
    return column == any_(given)


def in_order_of(query: Select[Row], column: InstrumentedAttribute[Any], *, on_sqlite: bool) -> Select[Row]:
    """Only the rows whose column is one text, in the order of an index that begins with the column: order them by what follows.

    Made once, and executed with `bound_one`. Of `=` PostgreSQL would know that the order is the same by any index: for one who has
    many rows, as it believes, it would look for them among everybody's newest, however long there have been none.
    """
    is_this = column == bindparam(_ONE, type_=String()) if on_sqlite else among_bound(column, on_sqlite=False)
    return query.where(is_this).order_by(column.desc())


def bound_one(executes: Executes, one: str) -> Mapping[str, Any]:
    """The value of a statement with `in_order_of`."""
    return {_ONE: one} if is_sqlite(executes) else bound(executes, [one])
