"""Many rows in one INSERT: a list of any length is one bound value, as in `app.db.ids`.

A driver that is given rows one by one gives the interpreter's lock back and takes it again for each of them: with 64 rows, and an
event loop that is busy, as many small waits for each of the two.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import JSON, Dialect, String, Table, bindparam, cast, column, func, literal_column, select, true
from sqlalchemy.dialects import postgresql, sqlite

from app.db.base import Base, table_of
from app.db.dialects import Executes, dialect_of, is_sqlite

Row = Mapping[str, Any]

_encode: Final = msgspec.json.Encoder().encode
_ROWS: Final = "rows"


def inserting(executes: Executes, row: type[Base], rows: Sequence[Row]) -> tuple[Any, Mapping[str, str]]:
    """A statement and its values, that insert these rows in this order: at least one, all with the keys of the first.

    What is there already stays as it is.
    """
    table, names = table_of(row), tuple(rows[0])
    if is_sqlite(executes):
        return _from_json_each(table, names), _bound(_as_stored(table, names, dialect_of(executes), rows))
    return _from_recordset(table, names), _bound(rows)


def _bound(rows: Sequence[Any]) -> Mapping[str, str]:
    return {_ROWS: _encode(rows).decode()}


@cache
def _from_json_each(table: Table, names: tuple[str, ...]) -> Any:
    each = func.json_each(bindparam(_ROWS, type_=String)).table_valued("value")
    values = (func.json_extract(each.c.value, literal_column(f"'$[{place}]'")) for place in range(len(names)))
    found = select(*values).where(true())  # without `WHERE` SQLite takes the `ON` that follows for a part of a join
    return sqlite.insert(table).from_select(names, found, include_defaults=False).on_conflict_do_nothing()


@cache
def _from_recordset(table: Table, names: tuple[str, ...]) -> Any:
    columns = (column(name, table.c[name].type) for name in names)
    given = func.json_to_recordset(cast(bindparam(_ROWS, type_=String), JSON)).table_valued(*columns)
    found = select(*given.render_derived(with_types=True).c)
    return postgresql.insert(table).from_select(names, found, include_defaults=False).on_conflict_do_nothing()


def _as_stored(table: Table, names: tuple[str, ...], dialect: Dialect, rows: Sequence[Row]) -> Sequence[Sequence[Any]]:
    """Each value as the driver would have been given it."""
    processors = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names]
    return [[row[name] if process is None else process(row[name]) for name, process in processors] for row in rows]
