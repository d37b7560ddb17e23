"""Queries on idempotency keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, false, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import table_of
from app.db.insert import insert_into
from app.features.idempotency.model import IdempotencyKeyRow
from app.web.answer import Answer
from app.web.idempotency import Asked

_TABLE = table_of(IdempotencyKeyRow)


async def claim(session: AsyncSession, asked: Asked, attempt: str, *, until: datetime, expires_at: datetime) -> bool:
    """Claim a key that nobody has used. False: somebody has."""
    values = {**asked._asdict(), "attempt": attempt, "claimed_until": until, "is_stored": False, "expires_at": expires_at}
    keys = list(_TABLE.primary_key.columns)
    made = insert_into(session, IdempotencyKeyRow).values(values).on_conflict_do_nothing(index_elements=keys).returning(*keys)
    return (await session.execute(made)).first() is not None


async def find(session: AsyncSession, asked: Asked) -> IdempotencyKeyRow | None:
    """What became of this key."""
    return await session.get(IdempotencyKeyRow, (asked.owner, asked.key))


async def take_over(
    session: AsyncSession, found: IdempotencyKeyRow, asked: Asked, attempt: str, *, until: datetime, expires_at: datetime
) -> bool:
    """Claim what somebody has left. False: somebody else was faster, or it was stored meanwhile."""
    taken = (
        update(_TABLE)
        .where(_is_of(asked, found.attempt), _TABLE.c.is_stored == found.is_stored, _TABLE.c.claimed_until == found.claimed_until)
        .values(
            fingerprint=asked.fingerprint,
            attempt=attempt,
            claimed_until=until,
            is_stored=False,
            status=None,
            headers=None,
            body=None,
            expires_at=expires_at,
        )
        .returning(_TABLE.c.attempt)
    )
    return (await session.execute(taken)).first() is not None


def mark_stored(connection: Connection, asked: Asked, attempt: str) -> bool:
    """Note, in the transaction of a change, that it was made. False: the claim is another's by now."""
    marked = update(_TABLE).where(_is_of(asked, attempt)).values(is_stored=True).returning(_TABLE.c.attempt)
    return connection.execute(marked).first() is not None


async def keep(session: AsyncSession, asked: Asked, attempt: str, answer: Answer) -> None:
    """Keep what was answered."""
    headers = [(name.decode(), value.decode("latin-1")) for name, value in answer.headers]
    values = {"status": answer.status, "headers": headers, "body": answer.body}
    await session.execute(update(_TABLE).where(_is_of(asked, attempt)).values(values))


async def end(session: AsyncSession, asked: Asked, attempt: str, now: datetime, *, is_done: bool) -> None:
    """It ended, and its answer is not kept. What came to nothing is forgotten, unless something was stored in its name."""
    if not is_done:
        await session.execute(delete(_TABLE).where(_is_of(asked, attempt), _TABLE.c.is_stored == false()))
    await session.execute(update(_TABLE).where(_is_of(asked, attempt)).values(is_stored=True, claimed_until=now))


async def delete_expired(session: AsyncSession, now: datetime, at_most: int) -> int:
    """Delete some of those whose time is over; how many."""
    keys = _TABLE.c.owner, _TABLE.c.key
    old = (await session.execute(select(*keys).where(_TABLE.c.expires_at <= now).limit(at_most))).all()
    if old:
        await session.execute(delete(_TABLE).where(tuple_(*keys).in_([tuple(one) for one in old]), _TABLE.c.expires_at <= now))
    return len(old)


def _is_of(asked: Asked, attempt: str) -> Any:
    return and_(_TABLE.c.owner == asked.owner, _TABLE.c.key == asked.key, _TABLE.c.attempt == attempt)
