"""Clients of Redis: every wait is bounded, and nothing is sent twice by itself."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from app.journal.scripts import LIFE
from app.kernel.errors import Unavailable

CONNECT_S = 2.0
"""Seconds within which Redis must accept a connection. Both are in one data centre: later is never."""
ANSWER_S = 2.0
"""Seconds within which it must answer: a request that needs Redis fails after so long, and does not try its caller's patience."""
MAX_CONNECTIONS = 16
"""Connections of one client. Redis works through one command after the other: more would only queue there."""
GOODBYES_S = 2.0
"""Seconds for all that a node which stops still says to Redis: a stop has 5 s for everything behind the drain time."""
HEALTH_CHECK_S = 15.0
"""A connection that was not used for so long is asked before it is used: a firewall may have forgotten it."""
MIN_VERSION = (6, 2)
"""Since then streams can be trimmed by id. Valkey counts on from there."""

ERRORS = (RedisError, OSError)
"""Whatever a client raises when Redis is away, too slow, or says no. `TimeoutError` is an `OSError`."""


def make_client(url: str, node_id: str, *, waits_s: float = 0.0) -> Redis:
    """A client, not yet connected. `aclose()` ends it.

    `url` as `WSX_REDIS_URL`. `waits_s`: how long its commands ask Redis to wait (`BLOCK`): answers may take so much longer.
    No command is tried again by itself: one whose answer was lost may have been done, and only its caller knows whether twice is
    too often. Answers are bytes. Its name in `CLIENT LIST` is `wsx-<node_id>`.
    """
    return Redis.from_pool(
        BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=ANSWER_S,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=waits_s + ANSWER_S,
            health_check_interval=HEALTH_CHECK_S,
            retry=Retry(NoBackoff(), 0),
            client_name=f"wsx-{node_id}",
            protocol=2,  # the older form, which every server and proxy speaks; nothing of the newer one is used
            maint_notifications_config=MaintNotificationsConfig(enabled=False),  # only for the vendor's own cloud
        )
    )


def database_of(client: Redis) -> int:
    """The number of its database. It belongs into the name of each channel: Redis tells what is published to all databases."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)


class Trouble(NamedTuple):
    """Why Redis cannot be used."""

    text: str
    """In one line for operators: the setting, the server, the reason. The password is not in it."""
    passes: bool
    """Whether it may be over by itself: Redis is away, or still loads what it has."""


def shown(url: str) -> str:
    """The URL as it may be shown: without its password."""
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    return parts._replace(netloc=f"{user}{colon}{'***' * len(colon)}{at}{place}").geturl()


async def check(url: str) -> Trouble | None:
    """Open Redis once, and ask for what all else rests on. None: it can be used."""
    client = make_client(url, "check")
    try:
        with suppress(NoPermissionError):  # who may not ask for the version may know it
            version = str((await client.info("server"))["redis_version"])
            if tuple(map(int, version.split(".")[:2])) < MIN_VERSION:
                return _trouble(url, f"Redis {version} is too old; 6.2 or newer is needed", passes=False)
        await client.eval("return redis.call('EXISTS', KEYS[1])", 1, LIFE)
    except ERRORS as error:
        hint = ", or it does not speak TLS there" if url.startswith("rediss:") and not _is_refusal(error) else ""
        return _trouble(url, f"{error}{hint}", passes=not _is_refusal(error))
    finally:
        await client.aclose()
    return None


def _trouble(url: str, why: str, *, passes: bool) -> Trouble:
    return Trouble(f"WSX_REDIS_URL: {shown(url)} cannot be used: {why}", passes)


def _is_refusal(error: Exception) -> bool:
    """Whether Redis is there, and says no to a login, a right, or the number of a database."""
    if isinstance(error, ResponseError):
        return isinstance(error, NoPermissionError) or "DB index" in str(error)
    return isinstance(error, AuthenticationError | AuthorizationError)


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Raise Unavailable in place of what a client raises. `what`: the words for the caller, such as "who is connected"."""
    try:
        yield
    except ERRORS as error:
        message = f"{what} cannot be known at the moment: Redis is away"
        raise Unavailable(message) from error
