"""What a roster says to Redis and hears from it.

One task does all that is said, one thing after the other: it beats, reads what was missed, sends what changed here, and looks after
the users of dead nodes. Another one listens to what the others change.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from app.cluster.change import decode_change
from app.cluster.client import ERRORS, GOODBYES_S
from app.cluster.estates import Estates
from app.cluster.ledger import Ledger
from app.cluster.outage import Outage
from app.cluster.replica import Replica, node_of
from app.cluster.shelf import Refusal, Row, Shelf
from app.hub.roster import Condition, Listener
from app.kernel.clock import monotonic
from app.kernel.deadline import Deadline

BEAT_S = 5.0
"""Seconds between two signs of life."""
DEAD_AFTER_S = 15.0
"""Seconds without one after which a node is held for dead: two may get lost. With a beat of the others, and a grace of 10 s, the
users of a killed node are offline after 30 s. So long are changes held back, too, after Redis has lost what it had."""
PAUSE_S = 0.02
"""Seconds in which changes are gathered into one batch."""
RETURN_S = 2.0
"""Seconds after the last failure for which nobody is told as offline: another node may be about to enter the user."""
HEARD_S = 1.0
"""Seconds after which a change that Redis has taken was heard, or never will be. Beats may come shortly one after the other."""
SHARED = "WSX_TOKEN_SECRET, WSX_TOKEN_PUBLIC_KEY, WSX_TOKEN_ISSUER, WSX_TOKEN_AUDIENCE"
"""The settings of which a node tells the others a fingerprint."""
LISTEN_S = 1.0
"""Seconds for which one call listens."""

_log = structlog.get_logger()


class Clerk:
    """Of one node. `step` and `listen` are called again and again, by a task each."""

    def __init__(
        self, client: Redis, node: str, ledger: Ledger, replica: Replica, listener: Listener, *, grace_s: float, away_s: float
    ) -> None:
        self._client = client
        self._node = node
        self._ledger = ledger
        self._replica = replica
        self._listener = listener
        self._away_s = away_s
        self._shelf = Shelf(client)
        self._estates = Estates(self._shelf, grace_s)
        self.condition: Callable[[], Condition] = Condition
        self.deafness = Outage("roster: what other nodes say")
        self.woken = asyncio.Event()
        """Something has changed here, or must be looked after."""
        self.is_idle = asyncio.Event()
        """Nothing was left to be read, once."""
        self._beaten_at: float | None = None
        """When Redis last took a beat."""
        self._beat_at = 0.0
        self._life: str | None = None
        """None: one must be begun."""
        self._epoch: str | None = None
        self._has_lost = False
        """Whether Redis has lost some of what it was told."""
        self._keep_until = 0.0
        """Until then books stay that Redis has lost."""
        self._unread: set[str] = set()
        """Lives whose book must be read."""
        self._is_left_read = False
        self._is_deaf = False
        """Whether what listens has missed something, and must begin anew."""
        self._unlike: set[str] = set()
        """Lives of nodes whose settings are not those of this one."""
        self._promised: dict[str, int] = {}
        """By life, the version that a beat saw."""
        self._promised_until = 0.0
        """By then it has been heard of."""

    @property
    def is_stale(self) -> bool:
        """Whether Redis took no beat for as long as makes others hold this node for dead."""
        return self._beaten_at is None or monotonic() - self._beaten_at > DEAD_AFTER_S

    @property
    def has_read_all(self) -> bool:
        """Whether nothing is left to be read."""
        return self._is_left_read and not self._unread

    async def step(self) -> None:
        """Do what is most urgent. Raises what Redis raises."""
        try:
            await self._do_next()
        except ERRORS:
            self._ledger.hold_back(RETURN_S)
            raise

    async def _do_next(self) -> None:
        if self._life is None:
            await self._enter()
        elif monotonic() >= self._beat_at:
            await self._beat(self._life)
        elif self._unread:
            await self._read(next(iter(self._unread)))
        elif not self._is_left_read:
            await self._read_left()
        else:
            self.is_idle.set()
            await self._send(self._life)
            if self._life is not None:
                await self._estates.settle_some(self._life, self._listener)
                await self._rest()

    async def _rest(self) -> None:
        if self._ledger.has_changed:
            return
        self.woken.clear()
        waits = self._beat_at - monotonic(), self._ledger.held_for_s, self._estates.due_in_s
        try:
            async with asyncio.timeout(max(min(one for one in waits if one is not None), 0.0)):
                await self.woken.wait()
                await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            return

    async def _enter(self) -> None:
        life, epoch = await self._shelf.enter(self._node)
        is_lost = self._has_lost or self._epoch not in {None, epoch}
        if self._epoch is not None:
            _log.warning("the users of this node are entered anew", users=len(self._ledger), is_lost=is_lost)
        if is_lost:
            self._keep_until = monotonic() + DEAD_AFTER_S
        self._ledger.begin_life(is_lost=is_lost, hold_s=DEAD_AFTER_S)
        self._life, self._epoch, self._has_lost = life, epoch, False
        self._beat_at = 0.0

    async def _beat(self, life: str) -> None:
        self._beat_at = monotonic() + BEAT_S  # before: a look that is asked for meanwhile is another one
        condition = self.condition()
        try:
            rows = await self._shelf.beat(life, condition, dead_after_s=DEAD_AFTER_S, away_s=self._away_s)
        except BaseException:
            self._beat_at = 0.0
            raise
        if rows is None:
            self._life = None
            return
        self._beaten_at = monotonic()
        self._estates.take(row for row in rows if row.heir == life)
        self._compare_settings(rows, condition.fingerprint)
        await self._forget_all_but({row.life for row in rows})
        is_promised = self._beaten_at >= self._promised_until
        for row in rows:
            if row.life != life:
                await self._compare(row, is_promised=is_promised)
        if is_promised:
            self._promised, self._promised_until = {row.life: row.version for row in rows}, self._beaten_at + HEARD_S

    async def _forget_all_but(self, lives: set[str]) -> None:
        """Those that are not in Redis any more. If it has lost them, they are entered anew soon."""
        nodes = {node_of(life) for life in lives}
        for life, book in tuple(self._replica.books.items()):
            if life not in lives and (monotonic() >= self._keep_until or book.node in nodes):
                self._unread.discard(life)
                for _ in self._replica.forget(life):
                    await asyncio.sleep(0)

    def _compare_settings(self, rows: Iterable[Row], own: str) -> None:
        """Tell the log once of each life whose settings are other ones than these."""
        unlike = {row.life for row in rows if row.is_living and not _are_alike(own, row.condition.fingerprint)}
        for life in unlike - self._unlike:
            _log.error("another node has other settings, and refuses whom this one lets in", peer=node_of(life), settings=SHARED)
        self._unlike = unlike

    async def _compare(self, row: Row, *, is_promised: bool) -> None:
        """Look whether all that was said of a life has been heard. `is_promised`: what is promised must have been."""
        is_news = row.life in self._replica.books
        book = self._replica.book_of(row.life)
        book.condition = row.condition
        if book.version is None:
            self._unread.add(row.life)
        elif is_promised and row.life not in self._unread and book.version < self._promised.get(row.life, 0):
            self._is_deaf = True
        if book.is_living and not row.is_living:
            if is_news and row.has_left:
                _log.info("a node has left", left=book.node, heir=row.heir)
            elif is_news:
                _log.warning("a node is gone", gone=book.node, heir=row.heir)
            for _ in self._replica.end_life(book, datetime.now(UTC).timestamp()):
                await asyncio.sleep(0)

    async def _send(self, life: str) -> None:
        batch = self._ledger.next_batch()
        if batch is None:
            return
        told = await self._shelf.change(life, batch)
        if isinstance(told, Refusal):
            self._life, self._has_lost = None, told is Refusal.LOST
            return
        self._ledger.answered()
        for place in told:
            item = batch.items[place]
            (self._listener.offline if item.record is None else self._listener.online)(item.user)

    async def _read(self, life: str) -> None:
        version = await self._shelf.version(life)
        if version is not None:  # else the next beat says that it is over
            book, found = self._replica.begin_reading(life, version), set[str]()
            self._unread.discard(life)
            try:
                async for users in self._shelf.users(life):
                    for user_id, record in users.items():
                        self._replica.read(book, user_id, record)
                    found.update(users)
            except BaseException:
                self._unread.add(life)
                raise
            for _ in self._replica.end_reading(book, found):
                await asyncio.sleep(0)
        else:
            self._unread.discard(life)

    async def _read_left(self) -> None:
        self._is_left_read = True
        try:
            async for user_ids in self._shelf.left():
                for user_id in user_ids:
                    self._listener.left(user_id)
        except BaseException:
            self._is_left_read = False
            raise

    async def listen(self) -> None:
        """Hear what the others change, until something was missed."""
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(self._shelf.channel)
            self.deafness.is_over()
            self._is_deaf = self._is_left_read = False
            self._unread.update(self._replica.books)
            self._look_now()
            while not self._is_deaf:
                message = await channel.get_message(timeout=LISTEN_S)
                if message is not None:
                    self._hear(message["data"])

    def _hear(self, said: bytes) -> None:
        if not said:
            self._look_now()  # a node comes, or leaves
            return
        change = decode_change(said)
        if change.life != self._life and not self._replica.apply(change):
            self._unread.add(change.life)
            self.woken.set()

    def _look_now(self) -> None:
        self._beat_at = 0.0
        self.woken.set()

    async def leave(self, deadline: Deadline) -> None:
        """Say the last of what has changed, and that this node leaves; nothing where Redis is away."""
        try:
            async with deadline.within(GOODBYES_S):
                while self._life is not None and self._ledger.has_changed:
                    await self._send(self._life)
                if self._life is not None:
                    await self._shelf.leave(self._life)
        except ERRORS as error:
            _log.warning("others hear later that this node has left", error=str(error) or type(error).__name__)


def _are_alike(one: str, other: str) -> bool:
    """Whether each reads what the other signs: with the first of its keys. A node that says nothing is like all."""
    ones, others = one.split(","), other.split(",")
    return not one or not other or (ones[0] in others and others[0] in ones)
