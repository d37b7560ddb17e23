"""Pages of a list, continued by an opaque cursor that stays right while rows come and go."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Integer, Select, bindparam
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.kernel.errors import FieldError, InvalidFields

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
"""Items on one page; more would hold the loop while they are encoded."""

Row = TypeVar("Row")


class Slice(Generic[Row]):
    """The rows of one page, and the cursor of the next, if there is one."""

    def __init__(self, rows: Sequence[Row], next_cursor: str | None) -> None:
        self.rows = rows
        self.next_cursor = next_cursor


def encode_cursor(place: str) -> str:
    """Make a place in a list opaque."""
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The reverse. Raises InvalidFields for what was never one of our cursors."""
    try:
        place = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise bad_cursor() from None
    if "\0" in place:  # PostgreSQL takes no such text
        raise bad_cursor()
    return place


def bad_cursor() -> InvalidFields:
    """The answer to a cursor that is not ours."""
    return InvalidFields([FieldError("?cursor", "not a cursor of this list; take it from `next_cursor` as it is")])


class NewestFirst(Generic[Row]):
    """A list, by its UUIDv7 ids. Its statements are made once: that takes as long as to carry them out."""

    def __init__(self, query: Select[Row], id_column: InstrumentedAttribute[UUID]) -> None:
        """`query`: the rows of the list, with an order where it is that of an index, whose next column is the id."""
        self._key = id_column.key
        self._first = query.order_by(id_column.desc()).limit(bindparam("limit", type_=Integer()))
        self._later = self._first.where(id_column < bindparam("after", type_=id_column.type))

    async def page(self, session: AsyncSession, *, limit: int, cursor: str | None, **values: object) -> Slice[Row]:
        """One page; `values`: of what its query leaves open. Reads one row more than it returns, to know of the next page."""
        query, values = self._first, {"limit": limit + 1, **values}
        if cursor is not None:
            query, values["after"] = self._later, _id_in(cursor)
        rows: Sequence[Any] = (await session.scalars(query, values)).all()
        page = rows[:limit]
        more = len(rows) > limit
        return Slice(page, encode_cursor(str(getattr(page[-1], self._key))) if more else None)


def _id_in(cursor: str) -> UUID:
    try:
        return UUID(decode_cursor(cursor))
    except ValueError:
        raise bad_cursor() from None


async def in_order(
    session: AsyncSession, query: Select[Row], key_column: InstrumentedAttribute[str], *, limit: int, cursor: str | None
) -> Slice[Row]:
    """One page of `query`, ordered by a text that is unique in it, such as a user's id."""
    if cursor is not None:
        query = query.where(key_column > decode_cursor(cursor))
    rows: Sequence[Any] = (await session.scalars(query.order_by(key_column).limit(limit + 1))).all()
    page = rows[:limit]
    more = len(rows) > limit
    return Slice(page, encode_cursor(getattr(page[-1], key_column.key)) if more else None)
