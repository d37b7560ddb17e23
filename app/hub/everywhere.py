"""Looks at, and acts on, the connections of all nodes.

Each call says truthfully what it does not know. One that looks names the nodes that did not answer, in `missing`. One that acts, or
says that something is not there, raises Incomplete when a node did not answer: done in part is not done.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter
from typing import Generic, NamedTuple, Self, TypeVar

from app.hub.answering import Answering
from app.hub.audience import Audience, Connections
from app.hub.close import Close
from app.hub.hub import Hub
from app.hub.listed import ConnectionInfo
from app.hub.peers import (
    DIGEST_BYTES,
    Alone,
    Answers,
    CloseConnections,
    CountConnections,
    Counted,
    CountInRooms,
    HandOver,
    LeftVisit,
    ListConnections,
    ListUsers,
    Peers,
    Present,
    RevokeTokens,
    TakeVisits,
    TellReceipt,
    TellVisits,
    Told,
    Visit,
    Visiting,
)
from app.hub.sessions import Origin, Taken
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, InvalidFields, NotFound, Unavailable

DELIVERED_WITHIN_S = 0.5
"""How long another node is given to deliver what was just published, before it says how many took it."""

NEW_S = 2.0
"""Seconds for which a publication may be on its way to some nodes, while others have delivered it."""

Item = TypeVar("Item")


class Incomplete(Unavailable):
    """Not all nodes answered."""

    code = "incomplete"

    def __init__(self, missing: Collection[str], done: str = "") -> None:
        nodes = ", ".join(missing)
        super().__init__(f"of the cluster, {nodes} did not answer in time; {done}ask again", retry_after_s=2)


class Count(NamedTuple):
    """How many there are on all nodes."""

    connections: int
    signed_in: int
    users: int
    """Each once, however many pages they have."""
    missing: Collection[str]


class Some(NamedTuple, Generic[Item]):
    """The first of a list."""

    items: list[Item]
    has_more: bool
    missing: Collection[str]


class Sum(NamedTuple):
    """What became of a publication on all nodes."""

    matched: int
    queued: int
    waiting: int | None
    missing: Collection[str]


class Everywhere:
    """The connections of the cluster; of this node, where it is the only one."""

    def __init__(self, hub: Hub, peers: Peers) -> None:
        self._hub = hub
        self._peers = peers
        self.answering = Answering(hub)
        """What this node answers."""
        peers.answer = self.answering.answer
        hub.returning.ask_to_hand_over = self.hand_over

    @classmethod
    def of_one(cls, hub: Hub) -> Self:
        """Where there is no other node."""
        return cls(hub, Alone(hub.returning.ids.node))

    async def connections(
        self, audience: Audience, *, after: str = "", limit: int, node: str | None = None
    ) -> Some[ConnectionInfo]:
        """The first so many of an audience with ids after this one, by id; of just this node, where one is named.

        Raises Unavailable when the audience stands in a database that is away.
        """
        answers = await self._peers.ask(ListConnections(await self._hub.settle(audience), after, limit + 1), node)
        found = list(islice(merge(*answers.by_node.values(), key=attrgetter("id")), limit + 1))
        return Some(found[:limit], len(found) > limit, answers.missing)

    async def connection(self, connection_id: str) -> ConnectionInfo:
        """One of this id. Raises NotFound, and Incomplete when it may be on a node that did not answer."""
        items, _, missing = await self.connections(Connections(frozenset({connection_id})), limit=1)
        if not items:
            raise _not_there(missing)
        return items[0]

    async def users(self, audience: Audience, *, after: str = "", limit: int) -> Some[Present]:
        """The first so many users of an audience who have connections, by id, each once. Raises Unavailable."""
        answers = await self._peers.ask(ListUsers(await self._hub.settle(audience), after, limit + 1))
        found = list(islice(_each_once(answers.by_node.values()), limit + 1))
        return Some(found[:limit], len(found) > limit, answers.missing)

    async def count(self, audience: Audience) -> Count:
        """How many connections and users an audience has. Raises Unavailable."""
        settled = await self._hub.settle(audience)
        answers = await self._peers.ask(CountConnections(settled, with_digests=not self._peers.is_alone))
        counted = answers.by_node.values()
        users = _distinct(answers) if len(counted) > 1 else sum(one.users for one in counted)
        return Count(sum(one.connections for one in counted), sum(one.signed_in for one in counted), users, answers.missing)

    async def users_among(self, audience: Audience) -> int:
        """How many users a settled audience has, as far as is known: of one that is too long to be asked of others, those here."""
        try:
            return (await self.count(audience)).users
        except InvalidFields:
            return len({page.user.id for page in self._hub.registry.resolve(audience) if page.user is not None})

    async def count_in_rooms(self, room_ids: Iterable[str]) -> dict[str, int | None]:
        """How many connections are in each of these rooms; None: not all nodes answered."""
        rooms = tuple(room_ids)
        answers = await self._peers.ask(CountInRooms(rooms)) if rooms else Answers[list[int]]({})
        sums = map(sum, zip(*answers.by_node.values(), strict=True))
        return dict.fromkeys(rooms) if answers.missing else dict(zip(rooms, sums, strict=True))

    async def close(self, audience: Audience, reason: str) -> int:
        """Close the connections of an audience with 4409. Returns how many were closed.

        Raises Unavailable, and Incomplete: those of the nodes that answered are closed then, others may be. Again does no harm.
        """
        answers = await self._peers.ask(CloseConnections(await self._hub.settle(audience), reason))
        closed = sum(answers.by_node.values())
        if answers.missing:
            raise Incomplete(answers.missing, f"{closed} connections of the others were closed; ")
        return closed

    async def revoke(self, user_id: str, until: datetime, reason: str) -> int:
        """Tell all nodes that a user's tokens count no more, and close the user's connections with 4409. How many were closed.

        Raises Incomplete: the nodes that did not answer will know by what is stored.
        """
        answers = await self._peers.ask(RevokeTokens(user_id, until, reason))
        closed = sum(answers.by_node.values())
        if answers.missing:
            raise Incomplete(answers.missing, f"the tokens are revoked, and {closed} connections of the others were closed; ")
        return closed

    async def close_one(self, connection_id: str) -> None:
        """Close one connection with 4409. Raises NotFound, and Incomplete when it may be on a node that did not answer."""
        one = CloseConnections(Connections(frozenset({connection_id})), Close.BACK_OFFICE.reason)
        answers = await self._peers.ask(one)
        if not any(answers.by_node.values()):
            raise _not_there(answers.missing)

    async def receipt(self, publication_id: str) -> Sum | None:
        """What became of a publication on all nodes; None: nobody remembers it. Raises Incomplete when somebody may."""
        within_s = DELIVERED_WITHIN_S if _is_new(publication_id) else 0
        answers = await self._peers.ask(TellReceipt(publication_id, within_s))
        told = [one for one in answers.by_node.values() if one is not None]
        if not told and answers.missing:
            raise Incomplete(answers.missing)
        return _sum(told, answers.missing) if told else None

    async def receipt_of(self, publication_id: str, node: str) -> Told | None:
        """What became on one node of what was published just now; None: it is not known yet."""
        answers = await self._peers.ask(TellReceipt(publication_id, DELIVERED_WITHIN_S), node)
        return answers.by_node.get(node)

    async def hand_over(self, origin: Origin, user_id: str | None) -> Taken | None:
        """What a connection of another node had, whose page is back here; it ends with that. None: it is not there."""
        answers = await self._peers.ask(HandOver(origin.connection_id, user_id), origin.node)
        return answers.by_node.get(origin.node)

    async def visits(self, visits: Sequence[Visit], *, begins: bool) -> list[dict[str, Visiting]]:
        """What other nodes know of each of these, by node. Those that do not answer know nothing."""
        answers = await self._peers.ask(TellVisits(self._peers.node, tuple(visits), begins))
        others = {node: told for node, told in answers.by_node.items() if node != self._peers.node and len(told) == len(visits)}
        return [{node: told[place] for node, told in others.items()} for place in range(len(visits))]

    async def pass_on(self, visits: Sequence[LeftVisit], node: str) -> bool:
        """Let another node look after the visits of this one, which stops. False: it does not answer."""
        return node in (await self._peers.ask(TakeVisits(tuple(visits)), node)).by_node


def _not_there(missing: Collection[str]) -> AppError:
    return Incomplete(missing) if missing else NotFound("no connection of this id is open")


def _sum(told: Collection[Told], missing: Collection[str]) -> Sum:
    waiting = next((one.waiting for one in told if one.waiting is not None), None)
    return Sum(sum(one.matched for one in told), sum(one.queued for one in told), waiting, missing)


def _each_once(lists: Iterable[list[Present]]) -> Iterable[Present]:
    by_id = attrgetter("id")
    return (next(same) for _, same in groupby(merge(*lists, key=by_id), key=by_id))


def _distinct(answers: Answers[Counted]) -> int:
    """How many different digests there are."""
    whole = [one.digests[: len(one.digests) // DIGEST_BYTES * DIGEST_BYTES] for one in answers.by_node.values()]
    return len(set().union(*(memoryview(digests).cast("Q") for digests in whole)))


def _is_new(publication_id: str) -> bool:
    """Whether it was made so short a time ago that it may be on its way. Ids begin with the millisecond (RFC 9562, 5.7)."""
    try:
        made_at_s = int(publication_id[:12], 16) / 1_000
    except ValueError:
        return False
    return abs(utc_now().timestamp() - made_at_s) < NEW_S
