"""The journal of a cluster: one stream in Redis, which every node appends to and follows.

Redis is not the record. It may be away, stand still, come back empty or with a copy from before: then nothing is taken for what it
is not. Who appends is told that it failed, and who follows is told that something was lost.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.backoff import EqualJitterBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from app.journal.appends import APPEND_S, Appends, TooLate
from app.journal.delivered import Delivered
from app.journal.followers import Deliver, Followers, Lost, Stop, UntilReady
from app.journal.lag import Lag
from app.journal.marks import Marks
from app.journal.place import NOWHERE, Place, next_epoch, number_in
from app.journal.port import Cursor, Entry, GapError, Health
from app.journal.ring import Ring
from app.journal.scripts import APPEND, LIFE, LOOK, stream_of
from app.kernel.deadline import Deadline
from app.kernel.errors import Unavailable

MIN_KEPT_S = 60.0
"""Seconds for which entries are kept at least: the stream is also how they reach the other nodes, which may be away for a while."""
MIN_ENTRIES = 10_000
"""As above: a node that is held up for a second must not miss any, however many come."""
MAX_BYTES = 134_217_728
"""Payloads that are kept in Redis, 128 MiB: 10,000 of the largest bodies that the back office may send would be 2.5 GiB."""
MAX_RING_BYTES = 16_777_216
"""Of these a node keeps the newest itself: of thousands who come back most missed only little."""
ANSWER_S = 2.0
"""Seconds within which Redis must append, and after which it must not do it any more."""
LOOK_EVERY_S = 1.0
"""Seconds between two looks how far the journal is, and for which a follower waits for the next entry."""
ENTRIES_AT_ONCE = 64
"""Entries in one answer: 16 MiB of the largest."""
RECONNECT_FIRST_S = 0.05
"""Seconds before Redis is tried again; then twice as many each time. Chance takes up to half of them: not all nodes at once."""
RECONNECT_MAX_S = 1.0
"""The most of them: so soon is everything level again."""

_ERRORS = (RedisError, OSError)
_log = structlog.get_logger()


class RedisJournal:
    """Appends and reads by one client, and follows by another, whose answers may take `LOOK_EVERY_S` longer. It closes both."""

    def __init__(self, commands: Redis, follower: Redis, deadline: Deadline, *, max_entries: int, max_age_s: float) -> None:
        """`max_entries`, `max_age_s`: what is kept at least, within `MAX_BYTES`. `deadline`: of a stop, for what is appended."""
        self._commands = commands
        self._follower = follower
        self._deadline = deadline
        self._look_script = commands.register_script(LOOK)
        self._append_script = commands.register_script(APPEND)
        self._max_entries = max(max_entries, MIN_ENTRIES)
        self._max_age_s = max(max_age_s, MIN_KEPT_S)
        self._place = NOWHERE
        self._ring = self._new_ring()
        self._marks = Marks(max_age_s=self._max_age_s, max_bytes=MAX_BYTES)
        self._followers = Followers()
        self._delivered = Delivered(NOWHERE)
        self._appends = Appends(self._append_step)
        self._lag = Lag()
        self._reached = asyncio.Event()
        self._tried = asyncio.Event()
        self._ends = False
        self._task: asyncio.Task[None] | None = None
        self._entries = self._reconnects = 0

    # -- the port ----------------------------------------------------------------------------------------------------
    async def append(self, payload: bytes) -> Cursor:
        """As the port says. Raises Unavailable at once while Redis is known to be away."""
        if not self._reached.is_set():
            raise _away("nothing was published")
        try:
            async with self._deadline.within(APPEND_S):
                place = await self._appends.put(payload)
                await self._delivered.until(place)
        except TimeoutError:
            raise _away("it is not known whether it was published") from None
        return place.cursor

    async def read(self, after: Cursor, limit: int) -> Sequence[Entry]:
        """As the port says: from memory, where that reaches back so far, else from Redis."""
        epoch = self._place.epoch
        number = number_in(after, epoch)
        behind = self._place.number - number
        if behind >= 0 and (kept := self._ring.after(after, behind, limit)) is not None:
            return kept
        if not self._reached.is_set():
            raise _away("what was published is not known")
        try:
            found = await self._read_stream(after, number, epoch, limit)
            if epoch != self._place.epoch:
                raise GapError(after)
            if number > self._place.number:  # another node has told it to its pages already
                async with asyncio.timeout(ANSWER_S):
                    await self._delivered.until(Place(epoch, number, 0))
        except _ERRORS as error:
            raise _away("what was published is not known") from error
        if not found and number < self._place.number:  # it came while Redis was asked, and was delivered
            return await self.read(after, limit)
        return found

    def at(self, cursor: Cursor) -> Entry:
        """As the port says."""
        return self._ring.at(cursor, self._place.number - number_in(cursor, self._place.epoch))

    def follow(self, deliver: Deliver, *, lost: Lost | None = None, until_ready: UntilReady | None = None) -> Stop:
        """As the port says."""
        return self._followers.add(deliver, lost, until_ready)

    def head(self) -> Cursor:
        """As the port says."""
        return self._place.cursor

    def health(self) -> Health:
        """As the port says."""
        numbers = {"entries": self._entries, "reconnects": self._reconnects}
        if self._place is NOWHERE:
            return Health("never reached", lag_s=self._lag.silence_s, **numbers)
        if not self._reached.is_set() or self._task is None or self._task.done():
            return Health("away", lag_s=self._lag.silence_s, **numbers)
        return Health("lagging" if self._lag.is_long() else "ok", lag_s=self._lag.seconds, **numbers)

    async def until_reached(self) -> None:
        """As the port says."""
        await self._reached.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """As the port says. At the end what is on its way is waited for."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="journal")
        try:
            await self._tried.wait()
            async with self._appends.running():
                yield
        finally:
            self._ends = True  # the library has been seen to swallow a cancellation
            self._reached.clear()
            self._task.cancel()
            await asyncio.wait((self._task,))
            for client in (self._commands, self._follower):
                with suppress(*_ERRORS):
                    await client.aclose()

    # -- following ---------------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        """Follow, whatever happens, until the end."""
        backoff, failures = EqualJitterBackoff(RECONNECT_MAX_S, RECONNECT_FIRST_S), 0
        while not self._ends:
            try:
                await self._look()
                await self._read_next()
                self._arrived()
                failures = 0
                await self._read_on()
            except _ERRORS as error:
                self._left(error)
            except Exception as error:
                _log.exception("following the journal failed")
                self._left(error)
            self._tried.set()
            await self._disconnect()
            await asyncio.sleep(backoff.compute(failures))
            failures += 1

    async def _read_on(self) -> None:
        """Deliver what comes. Returns when somebody else found Redis away."""
        loop = asyncio.get_running_loop()
        look_at = loop.time() + LOOK_EVERY_S
        while self._reached.is_set():
            await self._read_next(block_ms=round(1_000 * LOOK_EVERY_S))
            if loop.time() >= look_at:
                await self._look()
                look_at = loop.time() + LOOK_EVERY_S

    async def _look(self) -> None:
        """See whether the journal is the one that this node knows, and whether it has all that comes next."""
        known, keys = self._place, [LIFE, stream_of(self._place.epoch)]
        answer = await self._look_script(keys=keys, args=[known.epoch, known.number, known.id, next_epoch(known.epoch)])
        epoch, last, following, now_us = answer
        self._lag.heard(int(now_us))
        newest = Place.of(epoch.decode(), last)
        if newest.epoch != known.epoch or (newest.number > known.number and not following):
            is_another = NOWHERE.epoch < known.epoch < newest.epoch  # others may have pushed again in it what is stored
            self._lose(Place(newest.epoch, 0, 0) if is_another else newest)

    async def _read_next(self, block_ms: int | None = None) -> None:
        """Deliver the next entries, if there are any."""
        epoch = self._place.epoch
        answer: Any = await self._follower.xread({stream_of(epoch): self._place.id}, count=ENTRIES_AT_ONCE, block=block_ms)
        for entry_id, fields in answer[0][1] if answer else ():
            place = Place.of(epoch, entry_id)
            if place.number != self._place.number + 1:
                self._lose(Place(epoch, place.number - 1, 0))
            self._lag.waits(place.time_us)
            await self._followers.until_ready()
            self._lag.check()
            self._deliver(place, fields.get(b"p", b""))
        self._lag.nothing_waits()

    def _deliver(self, place: Place, payload: bytes) -> None:
        entry = Entry(place.cursor, payload, self._lag.at(place.time_us))
        self._marks.note(place.number, len(payload))
        self._ring.add(entry)
        self._place = place
        self._entries += 1
        self._followers.deliver(entry)
        self._delivered.passed(place)

    def _lose(self, place: Place) -> None:
        """Go on from this place: what was before it, and was not delivered, never will be."""
        if self._place is not NOWHERE:
            _log.warning("entries of the journal are lost to this node", known=self.head(), goes_on_from=place.cursor)
        if place.epoch != self._place.epoch:
            self._marks.clear()
        self._place = place
        self._ring = self._new_ring()
        self._delivered.skip_to(place)
        self._followers.lost()

    def _arrived(self) -> None:
        if self._tried.is_set():
            self._reconnects += 1
            _log.info("the journal is back", cursor=self.head())
        self._reached.set()
        self._tried.set()

    def _left(self, error: Exception) -> None:
        """Redis is away. Who appends is told at once, until it is back."""
        if self._reached.is_set() or not self._tried.is_set():
            _log.error("the journal is away", error=f"{type(error).__name__}: {error}")
        self._reached.clear()
        self._appends.refuse("the journal is away: nothing was published")

    async def _disconnect(self) -> None:
        """Use no connection again: they may lead to what was Redis before."""
        for client in (self._commands, self._follower):
            with suppress(*_ERRORS):
                async with asyncio.timeout(RECONNECT_MAX_S):
                    await client.connection_pool.disconnect(inuse_connections=False)

    # -- appending and reading ---------------------------------------------------------------------------------------
    async def _append_step(self, payloads: Sequence[bytes], within_s: float) -> Sequence[Place]:
        """Append these. Raises Unavailable, or TooLate when nothing was done."""
        epoch = self._place.epoch
        until_us = self._lag.now_us() + int(1_000_000 * min(within_s, ANSWER_S))
        kept = self._max_entries, self._marks.first_kept(), round(1_000 * self._max_age_s)
        try:
            async with self._deadline.within(ANSWER_S):
                answer = await self._append_script(keys=[LIFE, stream_of(epoch)], args=[epoch, until_us, *kept, *payloads])
        except _ERRORS as error:
            if not isinstance(error, NotConnected) or not await self._answers():
                self._left(error)
            raise _away("it is not known whether it was published") from error
        word, first, now_us = answer
        self._lag.heard(int(now_us))
        match word:
            case b"done":
                return [Place(epoch, number, int(now_us)) for number in range(first, first + len(payloads))]
            case b"late":
                raise TooLate
            case _:
                self._left(RedisError("it has another life"))
                raise _away("nothing was published")

    async def _answers(self) -> bool:
        """Whether Redis is there after all: one connection may end without it."""
        try:
            await self._commands.ping()
        except _ERRORS:
            return False
        return True

    async def _read_stream(self, after: Cursor, number: int, epoch: str, limit: int) -> Sequence[Entry]:
        """What follows in Redis. Raises GapError."""
        answer: Any = await self._commands.xrange(stream_of(epoch), min=str(number) if number else "-", count=limit + 1)
        found = [(Place.of(epoch, entry_id), fields.get(b"p", b"")) for entry_id, fields in answer]
        if found and found[0][0].number == number:
            if found.pop(0)[0].cursor != after:
                raise GapError(after)
        elif not found or found[0][0].number != number + 1:
            raise GapError(after)
        return [Entry(place.cursor, payload, self._lag.at(place.time_us)) for place, payload in found[:limit]]

    def _new_ring(self) -> Ring:
        return Ring(self.head(), max_entries=self._max_entries, max_age_s=self._max_age_s, max_bytes=MAX_RING_BYTES)


def _away(what: str) -> Unavailable:
    return Unavailable(f"the journal is away: {what}")
