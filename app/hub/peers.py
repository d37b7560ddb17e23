"""What the nodes of a cluster ask each other about their connections, and the port by which they do.

A question goes to all nodes that live, and each answers for itself. Who did not answer in time is named: whoever asked must not
take the rest for the whole.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Meta

from app.hub.audience import MAX_IDS, Audience, Id
from app.hub.listed import ConnectionInfo
from app.hub.sessions import Taken
from app.kernel.identity import User

DIGEST_BYTES = 8
"""Of a user's id: of a million users, two are taken for one with a chance of 1 in 36 million."""
MAX_ON_PAGE = 2_000
"""Items of one answer: a megabyte, where they are connections."""

A = TypeVar("A")


class Question(msgspec.Struct, Generic[A], frozen=True, tag_field="ask"):
    """What one node asks all or one, and what it is answered: `A`, as `answer` says it again for the decoder."""

    answer: ClassVar[Any]


class Counted(msgspec.Struct, frozen=True):
    """How many there are on one node."""

    connections: int
    signed_in: int
    users: int
    digests: bytes = b""
    """`DIGEST_BYTES` for each of the users, so that who is on several nodes is counted once. Empty where it was not asked for."""


class Present(msgspec.Struct, frozen=True, array_like=True):
    """A user with a connection."""

    id: str
    name: str


class Told(msgspec.Struct, frozen=True):
    """What became of a publication on one node."""

    matched: int
    queued: int
    waiting: int | None = None
    """How many go before it in a queue of this node; None: it does not wait here."""


Limit = Annotated[int, Meta(ge=1, le=MAX_ON_PAGE)]


class ListConnections(Question[list[ConnectionInfo]], frozen=True, tag="connections"):
    """The first so many connections of an audience, by id, with ids after this one."""

    audience: Audience
    after: str
    limit: Limit
    answer: ClassVar[Any] = list[ConnectionInfo]


class ListUsers(Question[list[Present]], frozen=True, tag="users"):
    """The first so many users of an audience who have connections, by id, with ids after this one."""

    audience: Audience
    after: str
    limit: Limit
    answer: ClassVar[Any] = list[Present]


class CountConnections(Question[Counted], frozen=True, tag="count"):
    """How many connections and users an audience has."""

    audience: Audience
    with_digests: bool
    answer: ClassVar[Any] = Counted


class CountInRooms(Question[list[int]], frozen=True, tag="rooms"):
    """How many connections are in each of these rooms."""

    room_ids: Annotated[tuple[Id, ...], Meta(max_length=MAX_IDS)]
    answer: ClassVar[Any] = list[int]


class CloseConnections(Question[int], frozen=True, tag="close"):
    """Close the connections of an audience for the back office. The answer: how many were closed."""

    audience: Audience
    reason: str
    answer: ClassVar[Any] = int


class RevokeTokens(Question[int], frozen=True, tag="revoke"):
    """The tokens of a user that were issued until then count no more: close the user's connections. The answer: how many were."""

    user_id: Id
    until: datetime
    reason: str
    answer: ClassVar[Any] = int


class TellReceipt(Question[Told | None], frozen=True, tag="receipt"):
    """What became of a publication. None: this node does not remember it."""

    publication_id: str
    within_s: Annotated[float, Meta(ge=0, le=1)] = 0
    """How long to wait for one that is still on its way to the node."""
    answer: ClassVar[Any] = Told | None


class HandOver(Question[Taken | None], frozen=True, tag="hand_over"):
    """A page is back on another node: close its connection here, if it is this user's, and say what it had. None: not here."""

    connection_id: str
    user_id: str | None
    answer: ClassVar[Any] = Taken | None


class Visit(msgspec.Struct, frozen=True, array_like=True):
    """A user in a room."""

    room_id: Id
    user_id: Id


class Visiting(IntEnum):
    """What a node knows of a visit."""

    NOTHING = 0
    BEGINS = 1
    """A page of the user has come into the room, and its node asks whether the user was there already."""
    AWAY = 2
    """No page is there any more, and that the visit is over was not told yet."""
    THERE = 3


class TellVisits(Question[list[Visiting]], frozen=True, tag="visits"):
    """What a node knows of each of these visits, of which that of the asker begins, or may be over."""

    asker: str
    visits: Annotated[tuple[Visit, ...], Meta(max_length=MAX_IDS)]
    begins: bool
    answer: ClassVar[Any] = list[Visiting]


class LeftVisit(msgspec.Struct, frozen=True, array_like=True):
    """A visit of a node that stops."""

    room_id: Id
    user: User


class TakeVisits(Question[None], frozen=True, tag="take_visits"):
    """A node stops: its visits are without pages, and this one tells of those that are over after the grace."""

    visits: Annotated[tuple[LeftVisit, ...], Meta(max_length=MAX_IDS)]
    answer: ClassVar[Any] = None


AnyQuestion = (
    ListConnections
    | ListUsers
    | CountConnections
    | CountInRooms
    | CloseConnections
    | RevokeTokens
    | TellReceipt
    | HandOver
    | TellVisits
    | TakeVisits
)


class Answers(NamedTuple, Generic[A]):
    """What was answered."""

    by_node: Mapping[str, A]
    missing: Collection[str] = ()
    """Nodes that live, as far as is known, and did not answer in time; what they have, or have done, is not known."""


Answer = Callable[[Question[Any]], Awaitable[Any]]
"""Answers for this node."""


class Peers(Protocol):
    """The nodes of a cluster. Asking never raises for a node that does not answer, nor for one that answers nonsense."""

    @property
    def node(self) -> str:
        """The id of this one."""

    @property
    def is_alone(self) -> bool:
        """Whether there can be no other one."""

    answer: Answer
    """Set by whoever knows the connections of this node, before anybody asks."""

    async def ask(self, question: Question[A], node: str | None = None) -> Answers[A]:
        """Ask all nodes, this one too; or just this `node`. Bounded in time.

        Raises InvalidFields for a question that is too long to be sent. Whoever is cancelled while it asks may have been answered.
        """


class Alone:
    """The only node there is."""

    is_alone = True

    def __init__(self, node: str) -> None:
        self.node = node
        self.answer: Answer

    async def ask(self, question: Question[A], node: str | None = None) -> Answers[A]:
        """Ask oneself."""
        return Answers({self.node: await self.answer(question)} if node in (None, self.node) else {})
