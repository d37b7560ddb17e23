"""API keys: `wsx_<id>_<secret><checksum>`.

The id finds the row, 192 random bits make the secret, and the checksum (CRC-32, as six characters) refuses a mistyped key without
a look-up. Only the SHA-256 of the whole is stored: the secret is random, so a slow password hash would protect nothing and would
let anybody keep the server busy.
"""

import asyncio
import hashlib
import secrets
import zlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from app.auth.known_ids import KnownIds
from app.auth.scopes import ADMIN
from app.kernel.clock import monotonic, utc_now
from app.kernel.errors import Unavailable

PREFIX: Final = "wsx"
ID_CHARS: Final = 12
SECRET_BYTES: Final = 24
CACHE_S: Final = 1.0
"""Seconds that a key is believed without looking it up. A revoked key is refused after it at the latest, on every node."""
RENEW_S: Final = 0.5
"""Seconds after which a key in use is looked up anew, while it is still believed."""
AWAY_S: Final = 3_600.0
"""Seconds for which a key that was good last is believed while none can be looked up, where only numbers of the server are told."""
MAX_CACHED: Final = 10_000
"""Keys in the cache, found or not; past it the cache is emptied, so that guessed ids cannot fill the memory."""
_ID_PLACE: Final = slice(len(PREFIX) + 1, len(PREFIX) + 1 + ID_CHARS)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class NewKey(NamedTuple):
    """A key at the only moment when its text is known."""

    id: str
    text: str
    digest: bytes


class KeyRecord(msgspec.Struct, frozen=True):
    """A key as it is stored."""

    id: str
    name: str
    scopes: frozenset[str]
    digest: bytes
    expires_at: datetime | None
    revoked_at: datetime | None
    targets: frozenset[str] | None = None
    """Where it may write; None: everywhere. See `app.auth.targets`."""


class Caller(msgspec.Struct, frozen=True):
    """The back-office tool behind a request."""

    key_id: str
    name: str
    scopes: frozenset[str]
    expires_at: datetime | None = None
    """When its key ends; None: it does not."""
    targets: frozenset[str] | None = None
    """Where it may write; None: everywhere."""


ADMIN_CALLER: Final = Caller("", "back office", frozenset({ADMIN}))
"""Whoever holds `WSX_ADMIN_KEY`."""


def make_key() -> NewKey:
    """A new random key."""
    key_id = "".join(secrets.choice(_DIGITS) for _ in range(ID_CHARS))
    secret = _base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), 33)
    body = f"{PREFIX}_{key_id}_{secret}"
    text = body + _checksum(body)
    return NewKey(key_id, text, digest_of(text))


def digest_of(text: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


def id_of(text: str) -> str | None:
    """The id in a key's text, or None when it is not a key or was mistyped."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or len(key_id) != ID_CHARS or not secret or _checksum(text[:-6]) != text[-6:]:
        return None
    return key_id


class _Found(NamedTuple):
    """What a look-up of a key has found."""

    renew_at: float
    until: float
    """When it is looked up anew, and until when it is believed meanwhile; by the monotonic clock."""
    record: KeyRecord | None
    caller: Caller | None


class KeyRing:
    """Tells which caller a key's text is. Safe for concurrent use.

    Requests with a key that is in use wait for no database: what was found is believed for `CACHE_S`, and from `RENEW_S` on it is
    looked up anew behind them. Those that must wait for the same key wait for one look-up.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[KeyRecord | None]],
        known_ids: KnownIds,
        *,
        admin_key: str,
        used: Callable[[str], None],
    ) -> None:
        self._find = find
        self._known_ids = known_ids
        self._used = used
        self._admin_digest = digest_of(admin_key) if admin_key else None
        self._cache: dict[str, _Found] = {}
        self._coming: dict[str, tuple[float, asyncio.Task[_Found]]] = {}
        """The newest look-up of each key that is under way, and when it began."""
        self._running: set[asyncio.Task[_Found]] = set()

    async def caller(self, text: str, *, guesses: bool = False, also_while_away: bool = False) -> Caller | None:
        """Who holds this key; None when it is not a key of ours, or expired, or revoked. Raises what looking it up raises.

        `guesses`: whoever sends it tries many keys that are none, so only ids that there are are looked up.
        `also_while_away`: while the database is, believe what was found last, for `AWAY_S`.
        """
        digest = digest_of(text)
        if self._admin_digest is not None and secrets.compare_digest(digest, self._admin_digest):
            return ADMIN_CALLER
        key_id = text[_ID_PLACE]
        found = self._cache.get(key_id)
        if (found is None or monotonic() >= found.until) and (
            not text.isascii() or id_of(text) is None or (guesses and not await self._known_ids.has(key_id))
        ):
            return None
        return await self._holder(key_id, digest, also_while_away=also_while_away)

    def ended(self, text: str) -> str:
        """Why a key that `caller` has just looked up opens nothing any more; empty: it is none of ours, or that is not known."""
        found = self._cache.get(text[_ID_PLACE])
        if found is None or found.record is None or not secrets.compare_digest(digest_of(text), found.record.digest):
            return ""
        return "was revoked" if found.record.revoked_at is not None else "has expired"

    async def holder(self, key_id: str, digest: bytes) -> Caller | None:
        """Who holds the key of this id and digest, for those who keep no key; None and what it raises as for `caller`."""
        if self._admin_digest is not None and secrets.compare_digest(digest, self._admin_digest):
            return ADMIN_CALLER
        return await self._holder(key_id, digest)

    async def _holder(self, key_id: str, digest: bytes, *, also_while_away: bool = False) -> Caller | None:
        now = monotonic()
        found = self._cache.get(key_id)
        if found is None or now >= found.until:
            try:
                found = await asyncio.shield(self._look_up(key_id, now))
            except Unavailable:
                if found is None or not also_while_away or now >= found.until + AWAY_S:
                    raise
        elif now >= found.renew_at:
            self._look_up(key_id, now)
        record = found.record
        if record is None or not secrets.compare_digest(digest, record.digest):
            return None
        if record.revoked_at is not None or (record.expires_at is not None and record.expires_at <= utc_now()):
            return None
        self._used(key_id)
        return found.caller

    def made(self, key_id: str) -> None:
        """There is a new key, which may be used at once."""
        self._known_ids.add(key_id)

    def forget(self, key_id: str) -> None:
        """Look this key up anew at its next use: it was changed."""
        self._cache.pop(key_id, None)
        self._coming.pop(key_id, None)

    def _look_up(self, key_id: str, now: float) -> "asyncio.Task[_Found]":
        """The look-up that is under way; a new one where that began `CACHE_S` ago: a slow database makes no old answer new."""
        began, task = self._coming.get(key_id, (now, None))
        if task is None or now - began >= CACHE_S:
            task = asyncio.create_task(self._find_at(key_id, now))
            self._coming[key_id] = now, task
            self._running.add(task)
            task.add_done_callback(lambda done: self._keep(key_id, done))
        return task

    async def _find_at(self, key_id: str, now: float) -> _Found:
        record = await self._find(key_id)
        caller = None
        if record is not None:
            caller = Caller(record.id, record.name, record.scopes, record.expires_at, record.targets)
        return _Found(now + RENEW_S, now + CACHE_S, record, caller)

    def _keep(self, key_id: str, done: "asyncio.Task[_Found]") -> None:
        """Remember what was found, unless the key was changed meanwhile. Who waits is told of errors; nobody else needs to be."""
        self._running.discard(done)
        failed = done.cancelled() or done.exception() is not None
        if key_id not in self._coming or self._coming[key_id][1] is not done:
            return
        del self._coming[key_id]
        if failed:
            return
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[key_id] = done.result()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
