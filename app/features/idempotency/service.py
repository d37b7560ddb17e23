"""Use cases: carry out once, answer again, forget after a day."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import BEFORE_COMMIT, Database
from app.features.idempotency import store
from app.features.idempotency.model import IdempotencyKeyRow
from app.features.services import Services
from app.features.sweeping import swept
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable, why
from app.kernel.ids import new_short_id
from app.web.answer import Answer
from app.web.idempotency import HEADER, REPLAYED, AnswerLost, Asked, OtherRequest, StillRunning

KEPT_FOR: Final = timedelta(hours=24)
CLAIMED_FOR: Final = timedelta(seconds=60)
"""After it a request counts as left by a process that died. None of ours runs for half as long; one that did could store nothing
any more in its name, so nothing is stored twice."""
MAX_BODY_BYTES: Final = 262_144
"""Of an answer that is kept. A list of 200 connections has some 100 KB."""
SWEEP_EVERY_S: Final = 60.0

_log = structlog.get_logger()


class _Claim(NamedTuple):
    """A request that is ours to carry out."""

    asked: Asked
    attempt: str


class IdempotentCalls:
    """Requests with an `Idempotency-Key`. See `app.web.idempotency.Once`."""

    def __init__(self, services: Services) -> None:
        self._database: Database = services.database

    async def carry_out(self, asked: Asked, work: Callable[[], Awaitable[Answer]], *, keeps_answer: bool) -> Answer:
        """The answer of `work`, or the one that it gave before."""
        claim = await self._claim(asked)
        if isinstance(claim, Answer):
            return claim
        try:
            with _in_the_name_of(claim):
                answer = await work()
        except Exception:
            await self._stored(partial(store.end, now=utc_now(), is_done=False), claim)
            raise
        if keeps_answer and len(answer.body) <= MAX_BODY_BYTES:
            await self._stored(partial(store.keep, answer=answer), claim)
        else:
            await self._stored(partial(store.end, now=utc_now(), is_done=True), claim)
        return answer

    async def _claim(self, asked: Asked) -> _Claim | Answer:
        """A claim, or the answer that there is. Raises OtherRequest, StillRunning, AnswerLost."""
        attempt, now = new_short_id(), utc_now()
        times = {"until": now + CLAIMED_FOR, "expires_at": now + KEPT_FOR}
        async with self._database.transaction() as session:
            if await store.claim(session, asked, attempt, **times):
                return _Claim(asked, attempt)
            found = await store.find(session, asked)
            if found is None:  # it was released between the two statements
                raise StillRunning
            if found.expires_at > now:
                if found.fingerprint != asked.fingerprint:
                    message = (
                        f"this {HEADER} was used for another request within 24 hours; take a new one for each thing to be done"
                    )
                    raise OtherRequest(message)
                if found.status is not None:
                    return _again(found, found.status)
                if found.is_stored and found.claimed_until <= now:
                    raise AnswerLost
                if found.claimed_until > now:
                    raise StillRunning
            if not await store.take_over(session, found, asked, attempt, **times):
                raise StillRunning
        return _Claim(asked, attempt)

    async def _stored(self, end: Callable[..., Awaitable[None]], claim: _Claim) -> None:
        """Write down how it ended. Where this fails, the answer is true all the same: what was stored has its mark."""
        try:
            async with self._database.transaction() as session:
                await end(session, *claim)
        except Unavailable as error:
            _log.warning("how a request ended could not be written down under its idempotency key", **why(error))


@contextmanager
def _in_the_name_of(claim: _Claim) -> Iterator[None]:
    """What this task stores in the block is stored together with a mark on the claim, or not at all."""
    is_over = False

    def mark(connection: Connection) -> None:
        if not is_over and not store.mark_stored(connection, *claim):  # over: a task that was begun in the block and outlives it
            raise StillRunning

    token = BEFORE_COMMIT.set(mark)
    try:
        yield
    finally:
        is_over = True
        BEFORE_COMMIT.reset(token)


def _again(found: IdempotencyKeyRow, status: int) -> Answer:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in found.headers or ()]
    return Answer(status, [*headers, REPLAYED], found.body or b"")


def running(services: Services) -> AbstractAsyncContextManager[None]:
    """Forget keys whose day is over, while the server runs."""
    return swept(services, "idempotency keys", _delete_expired, every_s=SWEEP_EVERY_S)


async def _delete_expired(session: AsyncSession, at_most: int) -> int:
    return await store.delete_expired(session, utc_now(), at_most)
