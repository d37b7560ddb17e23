"""What the roster says to Redis, and how its answers are read. Each call raises what clients raise."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from app.cluster import scripts
from app.cluster.change import Record, decode_record, encode
from app.cluster.client import database_of
from app.cluster.ledger import Batch
from app.hub.roster import Condition

READ_AT_ONCE = 500
"""Users in one answer of Redis, about: half a millisecond in which it serves nobody else, and we do nothing else."""
KEEP_S = 3_600.0
"""Seconds for which a life stays when no node is left to take over from it."""


class Refusal(Enum):
    """Why Redis takes no change."""

    OVER = "over"
    """The life is over: it was held for dead, or Redis has lost it."""
    LOST = "lost"
    """Redis has lost some changes."""


class Row(NamedTuple):
    """A life, as the others see it."""

    life: str
    version: int
    is_living: bool
    heir: str
    """The life that takes over from it; empty: it is living."""
    has_left: bool
    """Whether its node has ended it, and did not just fall silent."""
    condition: Condition


class Shelf:
    """The books of all nodes in Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.channel = f"{scripts.PREFIX}:{database_of(client)}"
        """Where changes are told."""
        self._enter = client.register_script(scripts.ENTER)
        self._change = client.register_script(scripts.CHANGE)
        self._beat = client.register_script(scripts.BEAT)
        self._leave = client.register_script(scripts.LEAVE)
        self._close = client.register_script(scripts.CLOSE)

    async def enter(self, node: str) -> tuple[str, str]:
        """Begin a life. Returns it, and the epoch of what is in Redis."""
        life = f"{node}:{secrets.token_hex(4)}"
        epoch = await self._enter(args=[life, secrets.token_hex(8), _ms(KEEP_S)])
        return life, epoch.decode()

    async def change(self, life: str, batch: Batch, heir: str = "") -> list[int] | Refusal:
        """Carry out a batch; again does no harm. `heir`: who does it for a dead one.

        Returns the places in the batch of those users who are online in the whole cluster now and were not, or the other way round.
        """
        users: list[str | bytes | int] = []
        for item in batch.items:
            record = b"" if item.record is None else encode(item.record)
            users += item.user.id, record, int(item.is_told), int(item.record is None or not item.record.connections)
        answer = await self._change(keys=[self.channel], args=[life, heir, batch.version, batch.change(life), _ms(KEEP_S), *users])
        word, *places = answer.decode().split()
        return list(map(int, places)) if word == "told" else Refusal(word)

    async def beat(self, life: str, condition: Condition, *, dead_after_s: float, away_s: float) -> list[Row] | None:
        """Say that the life goes on, and in what condition. Returns all lives; None: it is over."""
        own = condition.admins, int(condition.has_database), condition.fingerprint
        rows = await self._beat(keys=[self.channel], args=[life, _ms(dead_after_s), _ms(KEEP_S), _ms(away_s), *own])
        return [_row(row) for row in rows] if rows else None

    async def leave(self, life: str) -> None:
        """End a life: others take over at once."""
        await self._leave(keys=[self.channel], args=[life])

    async def close(self, life: str, heir: str) -> None:
        """Put away a life of which nothing is left."""
        await self._close(args=[life, heir])

    async def version(self, life: str) -> int | None:
        """The version of a life's book; None: there is none."""
        version = await self._client.hget(f"{scripts.PREFIX}:life:{life}", "version")
        return int(version) if version is not None else None

    async def users(self, life: str) -> AsyncIterator[Mapping[str, Record]]:
        """The users of a life, some at a time. Whoever is there all the while is among them, perhaps twice."""
        cursor, is_begun = 0, False
        while cursor or not is_begun:
            cursor, found = cast(
                "tuple[int, dict[bytes, bytes]]",  # answers are bytes, which the client's types leave open
                await self._client.hscan(f"{scripts.PREFIX}:users:{life}", cursor, count=READ_AT_ONCE),
            )
            is_begun = True
            yield {user_id.decode(): decode_record(record) for user_id, record in found.items()}

    async def left(self) -> AsyncIterator[list[str]]:
        """Those who may come back, some at a time."""
        cursor, is_begun = 0, False
        while cursor or not is_begun:
            cursor, found = cast(
                "tuple[int, list[tuple[bytes, float]]]",
                await self._client.zscan(f"{scripts.PREFIX}:left", cursor, count=READ_AT_ONCE),
            )
            is_begun = True
            yield [user_id.decode() for user_id, _ in found]


def _row(row: Sequence[Any]) -> Row:
    life, version, is_living, heir, has_left, *said = row
    admins, database, fingerprint = said
    condition = Condition(int(admins), database == b"1", fingerprint.decode())
    return Row(life.decode(), int(version), bool(is_living), heir.decode(), bool(has_left), condition)


def _ms(seconds: float) -> int:
    return round(seconds * 1_000)
