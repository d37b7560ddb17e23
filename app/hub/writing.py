"""Writes what waits in outboxes, in rounds: one write per connection and turn of the loop.

A long round gives the loop back every few milliseconds, and goes on behind the answers that were made meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from app.hub.held import Held
from app.hub.outbox import Outbox
from app.hub.pending import NOTHING, Pending
from app.hub.rounds import Rounds, Timing
from app.kernel.clock import monotonic

MAX_HOLD_S = 0.002
"""Seconds that one stretch of writing may hold the loop. Short ones let publications in while a round goes on, and what is joined
saves writes: with 1,000 connections and one publisher 2 ms deliver 1.4 times as much as 5 ms, and sooner."""
HOLD_WHILE_ASKED_S = 0.0005
"""The same while pages ask: each waits for one stretch before it is read, and for another one before it is answered."""
ASKED_S = 0.1
"""Seconds after an answer for which others are expected."""
CHECK_EVERY = 32
"""Writes between two looks at the clock: 0.2 ms, or 8 ms where each must compress 20 KB of its own."""
SLOW_WRITE_S = 0.00004
CHECK_SLOW_EVERY = 4
"""The same in a round while a write takes longer: 16 KiB take 0.1 ms where the page reads nothing. To begin each round like this,
and to write answers like this, cost a lively room a fifth of its messages: the more turns, the fewer are joined."""
MAX_AHEAD = 2_000
"""Connections that wait to be written to, past which a publisher waits with them: some 10 ms of writing."""
MAX_JOINED = 64
"""Publications in one round past which publishers wait: what is joined for one connection should fit into its socket's buffer."""

_log = structlog.get_logger()


class Writing:
    """The round that is going on, and what waits for the next one."""

    def __init__(self, held: Held) -> None:
        self.waiting: list[Outbox] = []
        """Outboxes of the next round. Whoever adds to them calls `flush_soon` afterwards."""
        self.joined = 0
        """Publications since the last round has ended."""
        self.sent_bytes = 0
        """Bytes that were given to sockets, as if nothing were compressed."""
        self._held = held
        self._told: deque[Outbox] = deque()
        """Outboxes with what one page alone is told, as an answer: they do not wait for the round."""
        self._told_before = 0
        """How many of them were there when the round began: with them it ends."""
        self._round: list[Outbox] = []
        self._at = 0
        """How far the round that is going on has come."""
        self._at_once = CHECK_EVERY
        """Writes until the next look at the clock."""
        self._rounds = Rounds()
        self._told_at = -ASKED_S
        """When a page was last told something alone."""
        self._flush_comes = False

    @property
    def ahead(self) -> int:
        """How many connections wait to be written to. One that is told something while it waits for the round counts twice."""
        return len(self._told) + len(self.waiting) + len(self._round) - self._at

    async def until_few_wait(self) -> None:
        """Return at once while little waits to be written; else when all that was offered until now has been.

        So a publisher that waits for its answer is never faster than the sockets, and the updates of many do not pile up.
        """
        if self.ahead > MAX_AHEAD or self.joined > MAX_JOINED:
            await self.until_written()

    async def until_written(self) -> None:
        """Return when all that was offered until now was written to the sockets that take it."""
        if self.ahead:
            await self._rounds.until_next_ends()

    def time(self, timing: Timing) -> None:
        """Count the time until all that was offered until now is written; where nothing waits for that, nothing."""
        if self.ahead:
            self._rounds.time(timing)

    def tell(self, outbox: Outbox) -> None:
        """Write to it ahead of the others. It may be in the round as well."""
        if not self._told or self._told[-1] is not outbox:
            self._told.append(outbox)
            self._told_at = monotonic()
        self.flush_soon()

    def schedule(self, outbox: Outbox) -> None:
        """Write to it in the next round."""
        self.waiting.append(outbox)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Begin at the end of this turn of the loop, if something waits."""
        if self.ahead and not self._flush_comes:
            self._flush_comes = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what waits, in rounds. What is left when the time is over goes on in the next turn, behind other work.

        What is published meanwhile is joined to what waits for those whom this round still comes to; for the others it makes the
        next round. What one page alone is told goes ahead, for half of the time where there is so much.
        """
        if self._is_over:
            self._round, self.waiting, self._at = self.waiting, [], 0
            self._told_before = len(self._told)
            self._rounds.begin()
        now = monotonic()
        hold_s = HOLD_WHILE_ASKED_S if now - self._told_at < ASKED_S else MAX_HOLD_S
        try:
            until = now + hold_s
            now = self._write_told(now, now + hold_s / 2 if self._round else now + MAX_HOLD_S)
            self._write_round(now, until)
            if self._is_over:
                self._end_round()
        finally:
            self._flush_comes = False
            self.flush_soon()

    @property
    def _is_over(self) -> bool:
        """Whether the round has come to its end, and to all that pages were told before it began."""
        return self._at >= len(self._round) and self._told_before <= 0

    def _write_told(self, now: float, until: float) -> float:
        """As much as there is time for, and at least some. What time it is then."""
        while self._told and now <= until:
            share = [self._told.popleft() for _ in range(min(CHECK_EVERY, len(self._told)))]
            self._told_before -= len(share)
            self.write(share)
            now = monotonic()
        return now

    def _write_round(self, now: float, until: float) -> None:
        """At least some, so that it comes to its end."""
        while self._at < len(self._round):
            share = self._round[self._at : self._at + self._at_once]
            self._at += (writes := len(share))
            self.write(share)
            before, now = now, monotonic()
            self._at_once = CHECK_SLOW_EVERY if now - before > SLOW_WRITE_S * writes else CHECK_EVERY
            if now > until:
                break

    def _end_round(self) -> None:
        self._round, self._at, self.joined = [], 0, 0
        self._rounds.end(is_last=not self.waiting and not self._told)

    def write(self, outboxes: Sequence[Outbox]) -> None:
        """One write each. Most wait for the same messages, which are looked up once: 0.3 µs beside the write itself."""
        last, message = NOTHING, NOTHING.whole()
        sent_bytes = size_bytes = 0
        for outbox in outboxes:
            pending = outbox.pending
            if pending is NOTHING or outbox.blocked:  # it was closed, or written to, meanwhile
                continue
            outbox.pending = NOTHING
            outbox.sent_count += pending.count
            try:
                if pending is not last:
                    last, message, size_bytes = pending, pending.whole(), pending.size_bytes
                sent_bytes += size_bytes
                if not outbox.sink.write(message):
                    self._block(outbox)
            except Exception:
                _drop(outbox)
        self.sent_bytes += sent_bytes

    def write_missed(self, outbox: Outbox, missed: Pending) -> bool:
        """Write past what waits. False: the socket takes no more for now, or never again."""
        outbox.sent_count += missed.count
        self.sent_bytes += missed.size_bytes
        try:
            if outbox.sink.write(missed.whole()):
                return True
            self._block(outbox)
        except Exception:
            _drop(outbox)
        return False

    def _block(self, outbox: Outbox) -> None:
        """The socket takes no more for now. What it could not pass on counts as waiting."""
        outbox.blocked = True
        outbox.stuck_bytes = outbox.sink.buffered_bytes()
        self._held.more(outbox.stuck_bytes)


def _drop(outbox: Outbox) -> None:
    """Its socket failed. Whatever else fails now must not keep the others from being written to."""
    with suppress(Exception):
        outbox.sink.abort()
    with suppress(Exception):
        _log.exception("socket write failed")
