"""`?dry_run=true`: who would hear a call, and what they would be shown. Nothing is sent, and nothing is stored.

It wants what the real call wants: the same scope, and a body that is right; and like that it is in the audit log. But no page sees
it: asked again and again, with audiences that differ by a step, it could find out where somebody is, in which room, or whom they
follow. So who hears is told to keys with `connections:read` alone. Others are told how many they are, where the audience is made of
everybody and roles, or of nothing but users or connections that they name themselves.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.auth.keys import Caller
from app.auth.scopes import allows
from app.features.left_out import LeftOuts, left_out
from app.features.listing import Incomplete
from app.features.services import Services
from app.hub.audience import MAX_AUDIENCES, AllOf, AnyOf, Audience, Connections, Everyone, Except, Roles, SignedIn, Users
from app.hub.everywhere import Count
from app.hub.listed import ConnectionInfo
from app.hub.publication import Part
from app.kernel.errors import WrongField
from app.wire.update import Fragment, Update

EXAMPLES: Final = 20
"""Connections that are shown of those who would hear."""
SEES_WHO: Final = "connections:read"
COUNTED_FOR_ALL: Final[Sequence[frozenset[type]]] = (
    frozenset({Everyone, SignedIn, Roles}),
    frozenset({Users}),
    frozenset({Connections}),
)
"""Kinds of audiences that may be combined with each other, and still tell a key without `SEES_WHO` no more than it says itself."""


class Hearer(msgspec.Struct, frozen=True):
    """A connection that would hear."""

    connection: str
    node: str
    user_id: str | None
    user_name: str | None

    @classmethod
    def of(cls, one: ConnectionInfo) -> Self:
        """As the REST interface shows it."""
        return cls(one.id, one.node, one.user_id, one.user_name)


Matched = Annotated[int, Meta(description="Connections that would hear, on the nodes that answered")]
HearingUsers = Annotated[int, Meta(description="Users among them, however many pages they have")]


class DryUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What pages would be told: the HTML as it would be sent, cleaned and filled in."""

    target: str
    html: str
    swap: str
    oob: list[Fragment]
    bytes: Annotated[int, Meta(description="Of its HTML, that of `oob` included, in UTF-8")]
    matched: Matched | UnsetType | None = UNSET
    users: HearingUsers | UnsetType | None = UNSET
    """Where a call gives each update an audience of its own; null: the key may not know."""

    @classmethod
    def of(cls, update: Update, heard: Count | UnsetType | None = UNSET) -> Self:
        """As the REST interface shows it."""
        size = len(update.html.encode()) + sum(len(part.html.encode()) for part in update.oob)
        matched, users = (UNSET, UNSET) if heard is UNSET else _numbers(heard)
        return cls(
            target=update.target,
            html=update.html,
            swap=update.swap,
            oob=list(update.oob),
            bytes=size,
            matched=matched,
            users=users,
        )


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the call would do. Nothing was sent or stored."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "matched": 3,
        "users": 2,
        "examples": [{"connection": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "node": "5f0c9a1e", "user_id": "ada", "user_name": "Ada"}],
        "bytes": 28,
        "updates": [
            {"target": "#announcements", "html": "<p>Back in five minutes</p>", "swap": "afterbegin", "oob": [], "bytes": 28}
        ],
        "incomplete": [],
    }

    matched: Annotated[
        int | None,
        Meta(
            description=f"Connections that would hear. null: the key has not the scope {SEES_WHO}, and the audience "
            "names places, rooms, followers or friends, or combines users or connections with others; or it is a batch "
            "for more different audiences than can be counted together"
        ),
    ]
    users: Annotated[int | None, Meta(description="Users among them; null: as `matched`")]
    examples: Annotated[
        list[Hearer] | None,
        Meta(description=f"Some of them, {EXAMPLES} at most; null: the key has not the scope {SEES_WHO}"),
    ]
    bytes: Annotated[int, Meta(description="Of all the HTML, in UTF-8")]
    updates: Annotated[list[DryUpdate], Meta(description="What they would be shown")]
    incomplete: Incomplete
    left_out: LeftOuts = UNSET


async def dry_run(services: Services, caller: Caller, audience: Audience, *updates: Update) -> DryRun:
    """Of updates that go to one audience, or to somebody of it each. Raises Unavailable."""
    heard, examples = await asyncio.gather(_count(services, caller, audience), _examples(services, caller, audience))
    return _told(heard, examples, [DryUpdate.of(update) for update in updates], [heard], left_out(updates))


async def dry_run_of_batch(services: Services, caller: Caller, parts: Sequence[Part]) -> DryRun:
    """Of updates with an audience each. Raises Unavailable."""
    audiences = list(dict.fromkeys(part.audience for part in parts))
    by_audience = dict(zip(audiences, await _count_each(services, caller, audiences), strict=True))
    together = _together(audiences)
    in_all = None
    if together is not None:
        in_all = by_audience[together] if together in by_audience else await _count(services, caller, together)
    examples = await _examples(services, caller, together or audiences[0])
    updates = [DryUpdate.of(part.update, by_audience[part.audience]) for part in parts]
    return _told(in_all, examples, updates, [*by_audience.values(), in_all], left_out([part.update for part in parts]))


async def _count_each(services: Services, caller: Caller, audiences: Sequence[Audience]) -> list[Count | None]:
    """All nodes are asked at once, but each count on this one has a turn of the loop of its own: it may look at all connections."""
    counting = []
    for audience in audiences:
        counting.append(asyncio.create_task(_count(services, caller, audience)))
        await asyncio.sleep(0)
    return await asyncio.gather(*counting)


async def _count(services: Services, caller: Caller, audience: Audience) -> Count | None:
    """None: the caller may not know."""
    kinds = frozenset(_kinds(audience))
    if not _sees_who(caller) and not any(kinds <= told for told in COUNTED_FOR_ALL):
        return None
    return await services.everywhere.count(audience)


def _kinds(audience: Audience) -> Iterator[type]:
    """The kinds of audiences in it, but for those that combine others."""
    match audience:
        case AnyOf(audiences) | AllOf(audiences):
            for one in audiences:
                yield from _kinds(one)
        case Except(included, excluded):
            yield from _kinds(included)
            yield from _kinds(excluded)
        case _:
            yield type(audience)


def _together(audiences: Sequence[Audience]) -> Audience | None:
    """Who is in any of these; None: they are too many to be asked for at once."""
    if len(audiences) == 1:
        return audiences[0]
    try:
        return AnyOf(tuple(audiences)) if len(audiences) <= MAX_AUDIENCES else None
    except WrongField:
        return None


def _sees_who(caller: Caller) -> bool:
    return allows(caller.scopes, SEES_WHO)


async def _examples(services: Services, caller: Caller, audience: Audience) -> list[Hearer] | None:
    if not _sees_who(caller):
        return None
    return [Hearer.of(one) for one in (await services.everywhere.connections(audience, limit=EXAMPLES)).items]


def _numbers(heard: Count | None) -> tuple[int | None, int | None]:
    return (None, None) if heard is None else (heard.connections, heard.users)


def _told(
    in_all: Count | None,
    examples: list[Hearer] | None,
    updates: list[DryUpdate],
    counted: Collection[Count | None],
    left: LeftOuts,
) -> DryRun:
    matched, users = _numbers(in_all)
    return DryRun(
        matched=matched,
        users=users,
        examples=examples,
        bytes=sum(update.bytes for update in updates),
        updates=updates,
        incomplete=sorted({node for heard in counted if heard is not None for node in heard.missing}),
        left_out=left,
    )
