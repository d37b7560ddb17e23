"""Marks on stored things that were pushed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, update

from app.db.writes import Kind
from app.kernel.clock import utc_now


def marking(table: Table) -> Kind[Mapping[UUID, None], None]:
    """Writes that mark rows of a table as delivered now; those that are marked stay as they are."""
    unmarked = update(table).where(table.c.id == bindparam("marked"), table.c.delivered_at.is_(None))
    statement = unmarked.values(delivered_at=bindparam("now"))

    def mark(connection: Connection, marked: Sequence[Mapping[UUID, None]]) -> Sequence[None]:
        things = sorted({thing for some in marked for thing in some})  # so two nodes never wait for each other for ever
        now = utc_now()
        connection.execute(statement, [{"marked": thing, "now": now} for thing in things])
        return [None] * len(marked)

    return Kind(f"pushed {table.name}", mark)
