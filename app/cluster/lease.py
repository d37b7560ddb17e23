"""A lease in Redis: at most one node has it. It ends by itself, so that a node that dies or is cut off gives it up.

Whoever has it counts its time from before Redis was asked, by a clock of its own: it stops to hold it before Redis can give it to
another one. It does not help against a process that stands still in the middle of its work: what must not be done twice is
protected where it is stored, too.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final

import structlog
from redis.asyncio import Redis

from app.cluster.client import ERRORS, GOODBYES_S
from app.cluster.lasting import lasting
from app.cluster.outage import Outage
from app.hub.hooks import Hooks
from app.hub.lease import Owner
from app.kernel.clock import monotonic
from app.kernel.deadline import Deadline

LEASE_S = 10.0
"""Seconds for which it is given. When its owner is killed, nobody has it for so long at most."""
ASK_S = 1.0
"""Seconds between two questions of those who do not have it."""
MARGIN_S = 1.0
"""Seconds by which the owner stops earlier than Redis: clocks run at different speeds, and a piece of work takes a moment."""

_TAKE: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_GIVE_UP: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

_log = structlog.get_logger()


class RedisLease:
    """One of this name in the cluster. It is asked for inside `running`."""

    def __init__(self, client: Redis, name: str, deadline: Deadline) -> None:
        """`deadline`: of a stop, for whatever waits for Redis."""
        self._key = f"wsx:lease:{name}"
        self._take = client.register_script(_TAKE)
        self._give_up = client.register_script(_GIVE_UP)
        self._deadline = deadline
        self._token = secrets.token_hex(16)
        self._held_until = self._elsewhere_until = 0.0
        self.on_change: Hooks[[]] = Hooks("lease")
        self._told = Owner.UNKNOWN

    @property
    def owner(self) -> Owner:
        """Who has it, now."""
        now = monotonic()
        if now < self._held_until:
            return Owner.HERE
        return Owner.ELSEWHERE if now < self._elsewhere_until else Owner.UNKNOWN

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have it whenever nobody else has, while the block runs; then give it up, so that another one has it at once."""
        async with lasting(Outage("lease"), self._ask_and_rest):
            yield
        self._held_until, self._elsewhere_until = 0.0, inf
        try:
            async with self._deadline.within(GOODBYES_S):
                await self._give_up(keys=[self._key], args=[self._token])
        except ERRORS as error:
            _log.warning("the lease ends by itself", error=str(error) or type(error).__name__)

    async def _ask_and_rest(self) -> None:
        try:
            await self._ask()
        finally:
            self._tell()
        await asyncio.sleep(LEASE_S / 3 if self.owner is Owner.HERE else ASK_S)

    async def _ask(self) -> None:
        asked_at = monotonic()
        if await self._take(keys=[self._key], args=[self._token, round(LEASE_S * 1_000)]):
            self._held_until = asked_at + LEASE_S - MARGIN_S
        else:
            self._held_until, self._elsewhere_until = 0.0, monotonic() + LEASE_S

    def _tell(self) -> None:
        owner = self.owner
        if owner is not self._told:
            _log.info("lease", owner=owner.value)
            self._told = owner
            self.on_change.fire()
