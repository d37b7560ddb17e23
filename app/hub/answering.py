"""A node answers questions about its own connections. Long looks give the loop back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from heapq import nsmallest
from typing import Any, Final

from app.hub.audience import Audience, everyone, signed_in, users
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.listed import ConnectionInfo
from app.hub.peers import (
    DIGEST_BYTES,
    CloseConnections,
    CountConnections,
    Counted,
    CountInRooms,
    HandOver,
    ListConnections,
    ListUsers,
    Present,
    Question,
    RevokeTokens,
    TakeVisits,
    TellReceipt,
    TellVisits,
    Told,
    Visiting,
)
from app.hub.sessions import Origin, Taken

CLOSED_AT_ONCE: Final = 200
"""Connections that are closed before other work has its turn: 4 ms."""
SEEN_AT_ONCE: Final = 2_000
"""Connections whose users are noted before other work has its turn: 2 ms."""


class Answering:
    """Looks at the hub of this node."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._node = hub.returning.ids.node
        self.tell_visits: Callable[[TellVisits], list[Visiting]] = lambda asked: [Visiting.NOTHING] * len(asked.visits)
        """Set, as the next one, by whoever knows who is visiting which room."""
        self.take_visits: Callable[[TakeVisits], None] = lambda _: None
        self.note_revoked: Callable[[RevokeTokens], None] = lambda _: None
        """Set by whoever looks after revoked tokens. Called before the connections are closed: none may come in between."""

    async def answer(self, question: Question[Any]) -> Any:  # noqa: C901 - one case for each kind of question
        """What this node says. Raises what the question brings about, and TypeError for one that is unknown."""
        match question:
            case ListConnections(audience, after, limit):
                return [ConnectionInfo.of(one, self._node) for one in self._hub.registry.page(audience, after, limit)]
            case ListUsers(audience, after, limit):
                return await self._users(audience, after, limit)
            case CountConnections(audience, with_digests):
                return await self._count(audience, with_digests=with_digests)
            case CountInRooms(room_ids):
                return [len(self._hub.registry.in_room(room_id)) for room_id in room_ids]
            case CloseConnections(audience, reason):
                return await self._close(audience, reason)
            case RevokeTokens(user_id, _, reason):
                self.note_revoked(question)
                return await self._close(users(user_id), reason)
            case TellReceipt(publication_id, within_s):
                return await self._tell(publication_id, within_s)
            case HandOver(connection_id, user_id):
                return await self._hand_over(connection_id, user_id)
            case TellVisits():
                return self.tell_visits(question)
            case TakeVisits():
                return self.take_visits(question)
            case _:
                message = f"unknown question {type(question).__name__}"
                raise TypeError(message)

    async def _users(self, audience: Audience, after: str, limit: int) -> list[Present]:
        names: dict[str, str] = {}
        async for connection in self._each(audience):
            if connection.user is not None and connection.user.id > after:
                names[connection.user.id] = connection.user.name
        return [Present(user_id, names[user_id]) for user_id in nsmallest(limit, names)]

    async def _count(self, audience: Audience, *, with_digests: bool) -> Counted:
        registry = self._hub.registry
        if audience == everyone and not with_digests:  # asked most often, and all of it is known
            return Counted(len(registry), len(registry.resolve(signed_in)), registry.user_count())
        connections = known = 0
        users: dict[str, bytes] = {}
        async for connection in self._each(audience):
            connections += 1
            if (user := connection.user) is not None:
                known += 1
                if user.id not in users:
                    users[user.id] = _digest(user.id) if with_digests else b""
        return Counted(connections, known, len(users), b"".join(users.values()))

    async def _each(self, audience: Audience) -> AsyncIterator[Connection]:
        found = tuple(self._hub.registry.resolve(audience))  # a copy: connections come and go in between
        for number, connection in enumerate(found, 1):
            yield connection
            if not number % SEEN_AT_ONCE:
                await asyncio.sleep(0)

    async def _close(self, audience: Audience, reason: str) -> int:
        """Their pages do not come back by themselves. Those that leave meanwhile are not counted."""
        closed = 0
        found = tuple(self._hub.registry.resolve(audience))
        for number, connection in enumerate(found, 1):
            closed += not connection.outbox.closed
            self._hub.close(connection, Close.BACK_OFFICE, reason)
            if not number % CLOSED_AT_ONCE:
                await asyncio.sleep(0)
        return closed

    async def _tell(self, publication_id: str, within_s: float) -> Told | None:
        places = (queue.place_of(publication_id) for queue in self._hub.paced_queues)
        if (waiting := next((place for place in places if place is not None), None)) is not None:
            return Told(0, 0, waiting)
        receipt = await self._hub.receipts.wait(publication_id, within_s)
        return None if receipt is None else Told(receipt.matched, receipt.queued)

    async def _hand_over(self, connection_id: str, user_id: str | None) -> Taken | None:
        return await self._hub.returning.hand_over(Origin(connection_id, self._node), user_id)


def _digest(user_id: str) -> bytes:
    return blake2b(user_id.encode(), digest_size=DIGEST_BYTES).digest()
