"""Sessions of a cluster: what ended connections had, in Redis, so that their pages find it again by whatever node.

One key for each connection that ended, until it is taken or its time is over:

    wsx:{session}:1:<connection>    "k", the digest of its user, and what is kept; or "h" and `<connection>@<node>` of its heir

They are written behind, in batches. What is not written yet is found by its own node, and by the others through that.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from app.cluster.client import ERRORS, GOODBYES_S
from app.cluster.outage import Outage
from app.hub.sessions import MAX_SESSIONS, MAX_TOTAL_BYTES, RESTORED_WITHIN_S, Kept, Origin, Taken, weight
from app.kernel.clock import monotonic
from app.kernel.deadline import Deadline

PREFIX: Final = "wsx:{session}:1:"
MAX_BATCH: Final = 500
"""Sessions that are written at once: some milliseconds of Redis."""
MAX_DUE: Final = 2 * MAX_SESSIONS
"""What waits to be written: sessions, and who took over from whom."""
RETRY_S: Final = 1.0
"""Seconds between two tries to write, while Redis is away."""
MAX_HEIRS: Final = 32
"""Connections of one page that took over, one from the other, before their trace is lost."""

TAKE: Final = """
local id, node = ARGV[1], ''
for place = 1, tonumber(ARGV[3]) do
  local value = redis.call('GET', KEYS[1] .. id)
  if not value or (place == 1 and ARGV[4] == 'taken' and string.sub(value, 1, 1) == 'k') then return {'open', id, node} end
  if string.sub(value, 1, 1) == 'h' then
    id, node = string.match(value, '^h([^@]*)@(.*)$')
  elseif string.sub(value, 2, 33) ~= ARGV[2] then
    return {'other'}
  else
    local left_ms = redis.call('PTTL', KEYS[1] .. id)
    redis.call('DEL', KEYS[1] .. id)
    return {'kept', string.sub(value, 34), left_ms}
  end
end
return {'open', id, node}
"""
"""Follow the heirs, and take out what is kept, if it is this user's: at once, so that of two who come one gets it. `taken`: what
is kept of the first was taken from its node before it was written."""

KEEP: Final = """
if string.sub(redis.call('GET', KEYS[1]) or '', 1, 1) ~= 'h' then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
"""
"""Unless its heir is written down: what comes so late was taken from its node long ago, and the trace must not be lost."""

FORGET: Final = """
if string.sub(redis.call('GET', KEYS[1]) or '', 1, 1) == 'k' then redis.call('DEL', KEYS[1]) end
"""
"""What is kept there is no more. Whoever has taken it may have written down its heir by now, which stays."""

_log = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(Kept).decode


class _Due(NamedTuple):
    """What is to be written."""

    what: Kept | Origin | None
    """None: nothing is there any more."""
    since: float


class RedisSessions:
    """`app.hub.sessions.Sessions` in Redis. Writes between start and end of `running`."""

    def __init__(self, client: Redis, keep_s: float, deadline: Deadline, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        """`max_bytes`: what this node keeps there, about; the oldest go first. `deadline`: of a stop."""
        self._client = client
        self._deadline = deadline
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._due: OrderedDict[str, _Due] = OrderedDict()
        self._has_due = asyncio.Event()
        self._writing: dict[str, _Due] = {}
        self._kept: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """What this node keeps, written or not, by weight and time; some of it may have been taken by others."""
        self._bytes = 0
        self._ends = False
        self._outage = Outage("sessions")

    def keep(self, kept: Kept) -> None:
        """Keep it; the oldest go when there are too many."""
        now = monotonic()
        self._note(kept.connection_id, _Due(kept, now))
        self._forget(kept.connection_id)
        self._kept[kept.connection_id] = weight(kept), now
        self._bytes += weight(kept)
        while self._kept:
            oldest, (_, since) = next(iter(self._kept.items()))
            is_over = now - since > self._keep_s
            if not is_over and len(self._kept) <= MAX_SESSIONS and self._bytes <= self._max_bytes:
                break
            self._drop(oldest, is_over=is_over)

    def pass_on(self, connection_id: str, heir: Origin) -> None:
        """Note for all nodes that a connection has taken over from this one."""
        self._note(connection_id, _Due(heir, monotonic()))

    async def take(self, origin: Origin, user_id: str | None) -> Taken | Origin | None:
        """Take it out, from here or from Redis. Raises what Redis raises."""
        for _ in range(MAX_HEIRS):
            due = self._due.get(origin.connection_id)
            if due is None or not isinstance(due.what, Origin):
                break
            origin = due.what
        if due is not None and isinstance(due.what, Kept):
            return self._take_unwritten(due.what, due.since, user_id)
        taken = "" if due is None else "taken"
        found = await self._client.eval(TAKE, 1, PREFIX, origin.connection_id, _digest(user_id), MAX_HEIRS, taken)
        return self._taken(found, origin)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write what is kept while the block runs, and the rest behind it: the pages that a stop sends away come back to others."""
        task = asyncio.create_task(self._write_on(), name="sessions")
        try:
            yield
        finally:
            self._ends = True  # Redis's client has been seen to swallow a cancellation
            self._has_due.set()
            task.cancel()
            await asyncio.wait((task,))
            try:
                async with self._deadline.within(GOODBYES_S):
                    while self._due:
                        await self._write()
            except ERRORS as error:
                _log.warning("sessions are lost", sessions=len(self._due), error=str(error))

    def _take_unwritten(self, kept: Kept, since: float, user_id: str | None) -> Taken | None:
        if kept.user_id != user_id:
            return None
        self._due.pop(kept.connection_id)
        self._forget(kept.connection_id)
        if kept.connection_id in self._writing:  # it may be there in a moment
            self._note(kept.connection_id, _Due(None, since))
        return Taken(kept, monotonic() - since)

    def _taken(self, found: list[Any], origin: Origin) -> Taken | Origin | None:
        match found:
            case [b"kept", kept, left_ms]:
                return Taken(_read(kept), max(self._keep_s - left_ms / 1_000, 0.0))
            case [b"open", connection_id, node]:
                return Origin(connection_id.decode(), node.decode() or origin.node)
            case _:
                return None

    def _note(self, connection_id: str, due: _Due) -> None:
        self._due[connection_id] = due
        self._has_due.set()

        while len(self._due) > MAX_DUE:  # Redis has been away for long
            self._due.popitem(last=False)

    def _drop(self, connection_id: str, *, is_over: bool) -> None:
        """Keep it no longer."""
        self._forget(connection_id)
        unwritten = self._due.pop(connection_id, None)
        if not is_over and (unwritten is None or connection_id in self._writing):
            self._note(connection_id, _Due(None, monotonic()))

    def _forget(self, connection_id: str) -> None:
        self._bytes -= self._kept.pop(connection_id, (0, 0.0))[0]

    async def _write_on(self) -> None:
        while not self._ends:
            await self._has_due.wait()
            try:
                await self._write()
                self._outage.is_over()
            except ERRORS as error:
                self._outage.noticed(error)
                await asyncio.sleep(RETRY_S)
            except Exception:
                _log.exception("sessions are not written")
                await asyncio.sleep(RETRY_S)

    async def _write(self) -> None:
        """Write a batch. What changes meanwhile is written again; what cannot be written stays. Raises what Redis raises."""
        now = monotonic()
        self._writing = {one: self._due[one] for one in list(self._due)[:MAX_BATCH]}
        async with self._client.pipeline(transaction=False) as pipeline:
            for connection_id, due in self._writing.items():
                value, keep_s = _written(due.what), RESTORED_WITHIN_S if isinstance(due.what, Origin) else self._keep_s
                left_ms = int((keep_s - (now - due.since)) * 1_000)
                if value is None or left_ms <= 0:
                    pipeline.eval(FORGET, 1, PREFIX + connection_id)
                elif isinstance(due.what, Kept):
                    pipeline.eval(KEEP, 1, PREFIX + connection_id, value, left_ms)
                else:
                    pipeline.set(PREFIX + connection_id, value, px=left_ms)
            try:
                await pipeline.execute()
                for connection_id, due in self._writing.items():
                    if self._due.get(connection_id) is due:
                        del self._due[connection_id]
            finally:
                self._writing = {}
        if not self._due:
            self._has_due.clear()


def _written(what: Kept | Origin | None) -> bytes | None:
    if isinstance(what, Kept):
        return b"k" + _digest(what.user_id) + _encode(what)
    return None if what is None else f"h{what.connection_id}@{what.node}".encode()


def _digest(user_id: str | None) -> bytes:
    """32 characters for a user, others for nobody: a user's id may be any text, and is not looked at by Redis."""
    return blake2b(b"-" if user_id is None else b"u" + user_id.encode(), digest_size=16).hexdigest().encode()
