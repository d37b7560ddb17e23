"""Who comes one after the other, where the rows alone do not see to it. On SQLite all transactions that write do so anyway."""

from hashlib import sha256

from sqlalchemy import BigInteger, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.dialects import is_sqlite


def key_of(what: str) -> int:
    """PostgreSQL's advisory locks have numbers: 64 bits, the same on every node."""
    return int.from_bytes(sha256(f"wsx {what}".encode()).digest()[:8], signed=True)


async def one_at_a_time(session: AsyncSession, what: str) -> None:
    """Until the transaction ends, each other one that asks for the same waits here, on whatever node."""
    if not is_sqlite(session):  # it has one writer
        await session.execute(select(func.pg_advisory_xact_lock(literal(key_of(what), BigInteger))))
