"""The node stops, and its pages come back one after the other: each is told its own slot, then closed.

It begins with a lead, where somebody looks whether this node is ready: nobody is sent here any more, and all else goes on. Then
clients of `wsx.v1` and streams of events are told and closed as fast as the loop allows: so this process ends soon, and the next is
there when the first slot comes. Others cannot be told anything. They are closed at the pace at which pages come back, and do so
when they like.
"""

import asyncio
from collections.abc import Iterable
from math import inf

import structlog

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.kernel.clock import monotonic
from app.wire.prepared import Prepared

PAGES_PER_S = 100
"""Pages that come back in a second: a tenth of what a process takes in that time, which has just begun and has other work."""
LEAD_S = 1.0
"""Seconds in which a balancer sees that this node stops, before pages are sent away and nobody listens any more."""
LEAD_SHARE = 0.25
"""Part of the drain time that the lead takes at most."""
LOOKED_WITHIN_S = 60.0
"""Seconds for which somebody who has looked is expected again. Where nobody looks, as on one's own machine, there is no lead."""
FIRST_SLOT_S = 1.0
"""Seconds from the last goodbye until the first comes back: this process does not listen any more."""
GOODBYES_PER_S = 2_000
"""At least so many are said in a second: each page waits besides for those that are still to be said."""
MIN_SPREAD_S = 2.0
"""Seconds over which even a few come back."""
SHARE = 0.8
"""Part of the drain time, the lead included, over which they come back at most: the last have caught up when it is over."""
MAX_HOLD_S = 0.0015
"""Seconds of goodbyes in one turn of the loop."""
PAUSE_S = 0.004
"""Seconds behind them for those who leave: a turn in which hundreds do at once held the loop for 34 ms, of 5,000 pages."""

_log = structlog.get_logger()


class Drain:
    """The stop of one node, which takes `within_s` seconds at most, whatever pages do."""

    def __init__(self, hub: Hub, within_s: float) -> None:
        self._hub = hub
        self._within_s = within_s
        self._until = 0.0
        self._looked_at = -inf
        self._lead_s = 0.0

    def looked(self) -> None:
        """Somebody looks whether this node is ready. Whoever does so now and then is given the time to see that it is not."""
        self._looked_at = monotonic()

    @property
    def left_s(self) -> float:
        """Seconds until the drain time is over, once it has begun."""
        return max(0.0, self._until - monotonic())

    async def run(self) -> None:
        """Take no more sockets; after the lead send all that waits for its turn, then say goodbye to each page.

        The second time nothing is left to do. Who is cut off by us has not left: nobody is told that users are offline.
        """
        if self._hub.is_draining:
            return
        self._hub.is_draining = True
        self._until = monotonic() + self._within_s
        if monotonic() - self._looked_at < LOOKED_WITHIN_S:
            self._lead_s = min(LEAD_S, LEAD_SHARE * self._within_s)
            await asyncio.sleep(self._lead_s)
        self._hub.presence.stop()
        try:
            async with asyncio.timeout(self.left_s):
                await self._send_what_waits()
        except TimeoutError:
            left = {queue.name: queue.counts().waiting for queue in self._hub.paced_queues}
            _log.error("not all that waited could be sent before the stop", waiting=left)
        while connections := tuple(self._hub.registry):  # again: handshakes were under way
            await self._say_goodbye(connections)
            await asyncio.sleep(0)
        self._hub.on_drained.fire()

    async def _send_what_waits(self) -> None:
        """Whoever queued it was told that it will be heard."""
        for queue in self._hub.paced_queues:
            await queue.drain()
        await self._hub.delivery.writing.until_written()

    async def _say_goodbye(self, connections: Iterable[Connection]) -> None:
        connections = tuple(connections)
        knowing = {dialect for dialect in {one.dialect for one in connections} if dialect.encode_drain(0) is not None}
        told = [connection for connection in connections if connection.dialect in knowing]
        others = [connection for connection in connections if connection.dialect not in knowing]
        _log.info("closing pages", told=len(told), others=len(others), spread_s=round(self._spread_s(len(told)), 1))
        spread_s = self._spread_s(len(told))
        until = monotonic() + MAX_HOLD_S
        for place, connection in enumerate(told):
            to_come_s = (len(told) - 1 - place) / GOODBYES_PER_S
            self._tell_slot(connection, FIRST_SLOT_S + to_come_s + spread_s * place / len(told))
            self._hub.close(connection, Close.RESTARTING)
            if monotonic() > until:
                await asyncio.sleep(PAUSE_S)
                until = monotonic() + MAX_HOLD_S
        await self._close_one_by_one(others)

    async def _close_one_by_one(self, connections: list[Connection]) -> None:
        began = monotonic()
        pause_s = min(len(connections) / PAGES_PER_S, SHARE * self.left_s) / max(1, len(connections))
        until = began + MAX_HOLD_S
        for place, connection in enumerate(connections):
            if (wait_s := began + place * pause_s - monotonic()) > 0 or monotonic() > until:
                await asyncio.sleep(max(wait_s, 0))
                until = monotonic() + MAX_HOLD_S
            self._hub.close(connection, Close.RESTARTING)

    def _spread_s(self, count: int) -> float:
        return max(MIN_SPREAD_S, min(count / PAGES_PER_S, SHARE * self._within_s - self._lead_s))

    def _tell_slot(self, connection: Connection, slot_s: float) -> None:
        payload = connection.dialect.encode_drain(round(slot_s * 1000))
        if payload is None or connection.outbox.closed:
            return
        if connection.outbox.catch_up is not None:
            connection.outbox.catch_up.say_last(payload)
        else:
            self._hub.delivery.offer(connection, Prepared(payload))
