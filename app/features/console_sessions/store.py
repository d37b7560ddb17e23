"""Queries on those who are signed in."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.insert import ensure
from app.features.console_sessions.model import ConsoleSealRow, ConsoleSessionRow


async def find(session: AsyncSession, ids: Collection[str], now: datetime) -> Sequence[ConsoleSessionRow]:
    """Those of these that have not ended."""
    query = select(ConsoleSessionRow).where(ConsoleSessionRow.id.in_(ids), ConsoleSessionRow.ends_at > now)
    return (await session.scalars(query)).all()


async def remove(session: AsyncSession, session_id: str) -> None:
    """It is signed out; nothing happens where it was."""
    await session.execute(delete(ConsoleSessionRow).where(ConsoleSessionRow.id == session_id))


async def remove_ended(session: AsyncSession, now: datetime, at_most: int) -> int:
    """Delete some of those that have ended. Returns how many."""
    ended = select(ConsoleSessionRow.id).where(ConsoleSessionRow.ends_at <= now).limit(at_most)
    ids = (await session.scalars(ended)).all()
    await session.execute(delete(ConsoleSessionRow).where(ConsoleSessionRow.id.in_(ids)))
    return len(ids)


async def add(session: AsyncSession, row: ConsoleSessionRow, most: int) -> None:
    """Store it. Of its key there are at most so many: the others that end first go."""
    others = select(ConsoleSessionRow.id).where(ConsoleSessionRow.key_id == row.key_id)
    ids = (await session.scalars(others.order_by(ConsoleSessionRow.ends_at.desc()).offset(most - 1))).all()
    await session.execute(delete(ConsoleSessionRow).where(ConsoleSessionRow.id.in_(ids)))
    session.add(row)


async def seal(session: AsyncSession) -> bytes | None:
    """What cookies are sealed with; None: nobody ever signed in."""
    found = await session.get(ConsoleSealRow, 1)
    return None if found is None else found.secret


async def ensure_seal(session: AsyncSession, secret: bytes) -> bytes:
    """The same; this one, where there is none yet."""
    row, _ = await ensure(session, ConsoleSealRow, {"id": 1, "secret": secret})
    return row.secret
