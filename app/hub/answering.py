"""A node answers questions about its own connections. Long looks give the loop back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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

        self._answers: dict[type[Question[Any]], Callable[[Any], Awaitable[Any]]] = {
            ListConnections: self._list,
            ListUsers: self._users,
            CountConnections: self._count,
            CountInRooms: self._count_in_rooms,
            CloseConnections: self._close,
            RevokeTokens: self._revoke,
            TellReceipt: self._tell,
            HandOver: self._hand_over,
            TellVisits: self._tell_visits,
            TakeVisits: self._take_visits,
        }

    async def answer(self, question: Question[Any]) -> Any:
        """What this node says. Raises what the question brings about, and TypeError for one that is unknown."""
        answer = self._answers.get(type(question))
        if answer is None:
            message = f"unknown question {type(question).__name__}"
            raise TypeError(message)
        return await answer(question)

    async def _list(self, asked: ListConnections) -> list[ConnectionInfo]:
        page = self._hub.registry.page(asked.audience, asked.after, asked.limit)
        return [ConnectionInfo.of(one, self._node) for one in page]

    async def _users(self, asked: ListUsers) -> list[Present]:
        names: dict[str, str] = {}
        async for connection in self._each(asked.audience):
            if connection.user is not None and connection.user.id > asked.after:
                names[connection.user.id] = connection.user.name
        return [Present(user_id, names[user_id]) for user_id in nsmallest(asked.limit, names)]

    async def _count(self, asked: CountConnections) -> Counted:
        registry = self._hub.registry
        if asked.audience == everyone and not asked.with_digests:  # asked most often, and all of it is known
            return Counted(len(registry), len(registry.resolve(signed_in)), registry.user_count())
        connections = known = 0
        digests: dict[str, bytes] = {}
        async for connection in self._each(asked.audience):
            connections += 1
            if (user := connection.user) is not None:
                known += 1
                if user.id not in digests:
                    digests[user.id] = _digest(user.id) if asked.with_digests else b""
        return Counted(connections, known, len(digests), b"".join(digests.values()))

    async def _count_in_rooms(self, asked: CountInRooms) -> list[int]:
        return [len(self._hub.registry.in_room(room_id)) for room_id in asked.room_ids]

    async def _each(self, audience: Audience) -> AsyncIterator[Connection]:
        found = tuple(self._hub.registry.resolve(audience))  # a copy: connections come and go in between
        for number, connection in enumerate(found, 1):
            yield connection
            if not number % SEEN_AT_ONCE:
                await asyncio.sleep(0)

    async def _close(self, asked: CloseConnections) -> int:
        return await self._close_all(asked.audience, asked.reason)

    async def _revoke(self, asked: RevokeTokens) -> int:
        self.note_revoked(asked)
        return await self._close_all(users(asked.user_id), asked.reason)

    async def _close_all(self, audience: Audience, reason: str) -> int:
        """Their pages do not come back by themselves. Those that leave meanwhile are not counted."""
        closed = 0
        found = tuple(self._hub.registry.resolve(audience))
        for number, connection in enumerate(found, 1):
            closed += not connection.outbox.closed
            self._hub.close(connection, Close.BACK_OFFICE, reason)
            if not number % CLOSED_AT_ONCE:
                await asyncio.sleep(0)
        return closed

    async def _tell(self, asked: TellReceipt) -> Told | None:
        places = (queue.place_of(asked.publication_id) for queue in self._hub.paced_queues)
        if (waiting := next((place for place in places if place is not None), None)) is not None:
            return Told(0, 0, waiting)
        receipt = await self._hub.receipts.wait(asked.publication_id, asked.within_s)
        return None if receipt is None else Told(receipt.matched, receipt.queued)

    async def _hand_over(self, asked: HandOver) -> Taken | None:
        return await self._hub.returning.hand_over(Origin(asked.connection_id, self._node), asked.user_id)

    async def _tell_visits(self, asked: TellVisits) -> list[Visiting]:
        return self.tell_visits(asked)

    async def _take_visits(self, asked: TakeVisits) -> None:
        self.take_visits(asked)


def _digest(user_id: str) -> bytes:
    return blake2b(user_id.encode(), digest_size=DIGEST_BYTES).digest()
