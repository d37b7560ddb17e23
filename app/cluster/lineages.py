"""What the nodes of a cluster know of their database, in Redis: who finds it to be another one begins the journal anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from redis.asyncio import Redis

from app.cluster.client import unavailable
from app.db.lineage import Lineage
from app.journal.place import next_epoch
from app.journal.scripts import LIFE
from app.kernel.errors import Unavailable

KNOWN: Final = f"{LIFE}:database"
_NOTE: Final = """
local known = redis.call('HMGET', KEYS[1], 'word', 'progress')
if known[1] ~= ARGV[1] or tonumber(known[2]) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'word', ARGV[1], 'progress', ARGV[2])
end
"""
_BEGIN_ANEW: Final = """
redis.call('HSET', KEYS[1], 'word', ARGV[1], 'progress', ARGV[2])
if redis.call('HGET', KEYS[2], 'epoch') == ARGV[3] then
  redis.call('HSET', KEYS[2], 'epoch', ARGV[4], 'last', '0-0')
end
"""
"""A new life of the journal, unless somebody else has begun one since. Each node finds it at its next look, and tells its pages."""


class RedisLineages:
    """`app.db.lineage.Lineages` in Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._note = client.register_script(_NOTE)
        self._begin_anew = client.register_script(_BEGIN_ANEW)
        self._is_over = False

    def stop(self) -> None:
        """Ask nothing more: the client is about to be closed, and would open another connection."""
        self._is_over = True

    async def read(self) -> Lineage | None:
        """As the port says."""
        with self._asking():
            word, progress = cast("list[bytes | None]", await self._client.hmget(KNOWN, ["word", "progress"]))
        return Lineage(word.decode(), int(progress)) if word is not None and progress is not None else None

    async def note(self, lineage: Lineage) -> None:
        """As the port says."""
        with self._asking():
            await self._note(keys=[KNOWN], args=[*lineage])

    async def begin_anew(self, lineage: Lineage) -> None:
        """As the port says."""
        with self._asking():
            epoch = cast("bytes | None", await self._client.hget(LIFE, "epoch"))
            lives = [epoch, next_epoch(epoch.decode())] if epoch is not None else ["", ""]
            await self._begin_anew(keys=[KNOWN, LIFE], args=[*lineage, *lives])

    @contextmanager
    def _asking(self) -> Iterator[None]:
        if self._is_over:
            raise Unavailable("this node stops")
        with unavailable("which database the journal is of"):
            yield
