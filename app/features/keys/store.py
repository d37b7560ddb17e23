"""Queries on API keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.keys import KeyRecord
from app.auth.scopes import ADMIN
from app.db.base import table_of
from app.db.page import NewestFirst, Slice
from app.features.keys.model import ApiKeyRow
from app.kernel.errors import NotFound


async def find_to_change(session: AsyncSession, key_id: str) -> ApiKeyRow:
    """One key, also a revoked one, which nobody else changes until the transaction ends. Raises NotFound."""
    row = await session.scalar(select(ApiKeyRow).where(ApiKeyRow.key_id == key_id).with_for_update())
    if row is None:
        message = "no API key has this id"
        raise NotFound(message)
    return row


async def find_record(session: AsyncSession, key_id: str) -> KeyRecord | None:
    """What the key ring needs of a key; None when there is no such key."""
    row = await session.scalar(select(ApiKeyRow).where(ApiKeyRow.key_id == key_id))
    if row is None:
        return None
    return KeyRecord(
        row.key_id,
        row.name,
        frozenset(row.scopes),
        row.digest,
        row.expires_at,
        row.revoked_at,
        None if row.targets is None else frozenset(row.targets),
    )


async def all_ids(session: AsyncSession) -> frozenset[str]:
    """The ids of all keys that were not revoked."""
    return frozenset((await session.scalars(select(ApiKeyRow.key_id).where(ApiKeyRow.revoked_at.is_(None)))).all())


async def page(session: AsyncSession, *, limit: int, cursor: str | None) -> Slice[ApiKeyRow]:
    """One page, newest first; revoked ones too."""
    return await NewestFirst(select(ApiKeyRow), ApiKeyRow.id).page(session, limit=limit, cursor=cursor)


async def all_keys(session: AsyncSession) -> Sequence[ApiKeyRow]:
    """All keys, oldest first; revoked ones too."""
    return (await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.id))).all()


async def exists_admin(session: AsyncSession) -> bool:
    """Whether there was ever a key with all scopes, revoked or not."""
    return any(ADMIN in scopes for scopes in await session.scalars(select(ApiKeyRow.scopes)))


async def record_used(session: AsyncSession, used: Mapping[str, datetime]) -> None:
    """Store when keys were last used: one statement for all, in the order of the ids, so that two nodes never block each other."""
    statement = update(table_of(ApiKeyRow)).where(ApiKeyRow.key_id == bindparam("used_id"))
    rows = [{"used_id": key_id, "used_at": at} for key_id, at in sorted(used.items())]
    await session.execute(statement.values(last_used_at=bindparam("used_at")), rows)
