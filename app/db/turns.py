"""Who comes one after the other, where the rows alone do not see to it. On SQLite all transactions that write do so anyway."""

from hashlib import sha256

from sqlalchemy import BigInteger, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession


def key_of(what: str) -> int:
    """PostgreSQL's advisory locks have numbers: 64 bits, the same on every node."""
    return int.from_bytes(sha256(f"wsx {what}".encode()).digest()[:8], signed=True)


def has_one_writer(session: AsyncSession) -> bool:
    """Whether no other transaction writes while this one does."""
    return session.get_bind().dialect.name == "sqlite"


async def one_at_a_time(session: AsyncSession, what: str) -> None:
    """Until the transaction ends, each other one that asks for the same waits here, on whatever node."""
    if not has_one_writer(session):
        await session.execute(select(func.pg_advisory_xact_lock(literal(key_of(what), BigInteger))))
