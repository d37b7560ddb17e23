"""Queries on revoked tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.insert import insert_into
from app.features.tokens.model import TokenRevocationRow


class Revoked(NamedTuple):
    """Tokens of a user that count no more: those that were issued until then."""

    user_id: str
    until: datetime


async def revoke(session: AsyncSession, user_id: str, at: datetime) -> None:
    """Store it. A moment that is later already stays."""
    statement = insert_into(session, TokenRevocationRow).values(user_id=user_id, revoked_at=at)
    newer = statement.excluded.revoked_at
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_={"revoked_at": newer}, where=TokenRevocationRow.revoked_at < newer
        )
    )


async def revoked_since(session: AsyncSession, since: datetime | None) -> Sequence[Revoked]:
    """What was revoked after this moment; None: all."""
    query = select(TokenRevocationRow.user_id, TokenRevocationRow.revoked_at)
    if since is not None:
        query = query.where(TokenRevocationRow.revoked_at > since)
    return [Revoked(user_id, until) for user_id, until in await session.execute(query)]
