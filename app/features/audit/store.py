"""Queries on the audit log."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.many import Row, inserting
from app.db.page import NewestFirst, Slice
from app.features.audit.model import AuditEventRow
from app.kernel.clock import utc_now
from app.kernel.ids import first_id_of
from app.web.deeds import NOBODY

_OF_NOBODY = and_(AuditEventRow.actor_id == NOBODY.id, AuditEventRow.actor == NOBODY.kind)
"""By the index on `actor_id`: sweeping away what nobody did reads few rows beside."""


class Wanted(NamedTuple):
    """Which events are asked for. None: all."""

    actor: str | None = None
    actor_id: str | None = None
    operation: str | None = None
    connection_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    known: bool | None = None
    """True: not what nobody did; False: only that."""
    written_since: datetime | None = None


def add(connection: Connection, events: Sequence[Sequence[Row]]) -> Sequence[None]:
    """Add events, one statement for all; but for those that are there: the commit of an earlier try may have been unclear."""
    written_at = utc_now()
    rows = [{**row, "written_at": written_at} for some in events for row in some]
    connection.execute(*inserting(connection, AuditEventRow, rows))
    return [None] * len(events)


async def page(session: AsyncSession, wanted: Wanted, *, limit: int, cursor: str | None) -> Slice[AuditEventRow]:
    """One page, newest first."""
    return await NewestFirst(_asked(wanted), AuditEventRow.id).page(session, limit=limit, cursor=cursor)


async def newest_of(session: AsyncSession, wanted: Wanted, limit: int) -> Sequence[AuditEventRow]:
    """The newest ones, oldest of them first."""
    found = await session.scalars(_asked(wanted).order_by(AuditEventRow.id.desc()).limit(limit))
    return found.all()[::-1]


async def since(session: AsyncSession, wanted: Wanted) -> Sequence[AuditEventRow]:
    """All of them, oldest first."""
    return (await session.scalars(_asked(wanted).order_by(AuditEventRow.id))).all()


async def delete_some(session: AsyncSession, unwanted: Wanted, at_most: int) -> int:
    """Delete some of them; how many."""
    ids = (await session.scalars(_asked(unwanted).with_only_columns(AuditEventRow.id).limit(at_most))).all()
    if ids:
        await session.execute(delete(AuditEventRow).where(AuditEventRow.id.in_(ids)))
    return len(ids)


def _asked(wanted: Wanted) -> Select[AuditEventRow]:
    query = select(AuditEventRow)
    if wanted.actor is not None:
        query = query.where(AuditEventRow.actor == wanted.actor)
    if wanted.actor_id is not None:
        query = query.where(AuditEventRow.actor_id == wanted.actor_id)
    if wanted.operation is not None:
        query = query.where(AuditEventRow.operation == wanted.operation)
    if wanted.connection_id is not None:
        query = query.where(AuditEventRow.connection_id == wanted.connection_id)
    if wanted.since is not None:
        query = query.where(AuditEventRow.id >= first_id_of(wanted.since))
    if wanted.until is not None:
        query = query.where(AuditEventRow.id < first_id_of(wanted.until))
    if wanted.known is not None:
        query = query.where(AuditEventRow.actor != NOBODY.kind if wanted.known else _OF_NOBODY)
    if wanted.written_since is not None:
        query = query.where(AuditEventRow.written_at >= wanted.written_since)
    return query
