"""Queries on the audit log."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import table_of
from app.db.page import Slice, newest_first
from app.features.audit.model import AuditEventRow
from app.kernel.ids import first_id_of

_TABLE = table_of(AuditEventRow)
_INSERT = insert(_TABLE)


class Wanted(NamedTuple):
    """Which events are asked for. None: all."""

    actor: str | None = None
    actor_id: str | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Add events: one statement for all."""
    await session.execute(_INSERT, rows)


async def page(session: AsyncSession, wanted: Wanted, *, limit: int, cursor: str | None) -> Slice[AuditEventRow]:
    """One page, newest first."""
    return await newest_first(session, _asked(wanted), AuditEventRow.id, limit=limit, cursor=cursor)


async def newest_of(session: AsyncSession, wanted: Wanted, limit: int) -> Sequence[AuditEventRow]:
    """The newest ones, oldest of them first."""
    found = await session.scalars(_asked(wanted).order_by(AuditEventRow.id.desc()).limit(limit))
    return found.all()[::-1]


async def since(session: AsyncSession, wanted: Wanted) -> Sequence[AuditEventRow]:
    """All of them, oldest first."""
    return (await session.scalars(_asked(wanted).order_by(AuditEventRow.id))).all()


async def delete_before(session: AsyncSession, moment: datetime, at_most: int) -> int:
    """Delete some that are older; how many."""
    old: Iterable[UUID] = (await session.scalars(select(_TABLE.c.id).where(_TABLE.c.id < first_id_of(moment)).limit(at_most))).all()
    ids = list(old)
    if ids:
        await session.execute(delete(_TABLE).where(_TABLE.c.id.in_(ids)))
    return len(ids)


def _asked(wanted: Wanted) -> Select[AuditEventRow]:
    query = select(AuditEventRow)
    if wanted.actor is not None:
        query = query.where(AuditEventRow.actor == wanted.actor)
    if wanted.actor_id is not None:
        query = query.where(AuditEventRow.actor_id == wanted.actor_id)
    if wanted.operation is not None:
        query = query.where(AuditEventRow.operation == wanted.operation)
    if wanted.since is not None:
        query = query.where(AuditEventRow.id >= first_id_of(wanted.since))
    if wanted.until is not None:
        query = query.where(AuditEventRow.id < first_id_of(wanted.until))
    return query
