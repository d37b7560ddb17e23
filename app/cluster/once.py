"""What is taken once in a cluster, in Redis: a key for each, which goes when its time is over or somebody takes it."""

from typing import Final, cast

from redis.asyncio import Redis

from app.cluster.client import unavailable

PREFIX: Final = "wsx:{once}:1:"


class RedisOnce:
    """`app.hub.once.Once` in Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def keep(self, name: str, value: bytes, keep_s: float) -> None:
        """Keep it. Raises Unavailable when Redis is away."""
        with unavailable("which tickets are good"):
            await self._client.set(PREFIX + name, value, px=round(keep_s * 1_000))

    async def take(self, name: str) -> bytes | None:
        """Take it out: reading and removing are one command. Raises Unavailable when Redis is away."""
        with unavailable("which tickets are good"):
            return cast("bytes | None", await self._client.getdel(PREFIX + name))  # answers are bytes, which the types leave open
