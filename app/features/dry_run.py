"""`?dry_run=true`: who would hear a call, and what they would be shown. Nothing is sent, and nothing is stored.

It wants what the real call wants: the same scope, and a body that is right. Who they are is for keys with `connections:read` alone:
else any key that may send could ask who is near a place.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, Final, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.auth.keys import Caller
from app.auth.scopes import allows
from app.features.left_out import LeftOuts, left_out
from app.features.listing import Incomplete
from app.features.services import Services
from app.hub.audience import MAX_AUDIENCES, AnyOf, Audience
from app.hub.everywhere import Count
from app.hub.listed import ConnectionInfo
from app.hub.publication import Part
from app.kernel.errors import WrongField
from app.wire.update import Fragment, Update

EXAMPLES: Final = 20
"""Connections that are shown of those who would hear."""
SEES_WHO: Final = "connections:read"


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
    matched: Matched | UnsetType = UNSET
    users: HearingUsers | UnsetType = UNSET
    """Where a call gives each update an audience of its own."""

    @classmethod
    def of(cls, update: Update, heard: Count | None = None) -> Self:
        """As the REST interface shows it."""
        size = len(update.html.encode()) + sum(len(part.html.encode()) for part in update.oob)
        matched, users = (UNSET, UNSET) if heard is None else (heard.connections, heard.users)
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
        Meta(description="Connections that would hear; null: a batch for more different audiences than can be counted together"),
    ]
    users: Annotated[int | None, Meta(description="Users among them; null: as above")]
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
    heard, examples = await asyncio.gather(services.everywhere.count(audience), _examples(services, caller, audience))
    return _told(heard, examples, [DryUpdate.of(update) for update in updates], heard.missing, left_out(updates))


async def dry_run_of_batch(services: Services, caller: Caller, parts: Sequence[Part]) -> DryRun:
    """Of updates with an audience each. Raises Unavailable."""
    audiences = list(dict.fromkeys(part.audience for part in parts))
    together = _together(audiences)
    counted = await asyncio.gather(*(services.everywhere.count(audience) for audience in audiences))
    by_audience = dict(zip(audiences, counted, strict=True))
    in_all = None if together is None else by_audience.get(together) or await services.everywhere.count(together)
    examples = await _examples(services, caller, together or audiences[0])
    updates = [DryUpdate.of(part.update, by_audience[part.audience]) for part in parts]
    missing = {node for heard in (*counted, in_all) if heard is not None for node in heard.missing}
    return _told(in_all, examples, updates, missing, left_out(part.update for part in parts))


def _together(audiences: Sequence[Audience]) -> Audience | None:
    """Who is in any of these; None: they are too many to be asked for at once."""
    if len(audiences) == 1:
        return audiences[0]
    try:
        return AnyOf(tuple(audiences)) if len(audiences) <= MAX_AUDIENCES else None
    except WrongField:
        return None


async def _examples(services: Services, caller: Caller, audience: Audience) -> list[Hearer] | None:
    if not allows(caller.scopes, SEES_WHO):
        return None
    return [Hearer.of(one) for one in (await services.everywhere.connections(audience, limit=EXAMPLES)).items]


def _told(
    heard: Count | None, examples: list[Hearer] | None, updates: list[DryUpdate], missing: Collection[str], left: LeftOuts
) -> DryRun:
    return DryRun(
        matched=None if heard is None else heard.connections,
        users=None if heard is None else heard.users,
        examples=examples,
        bytes=sum(update.bytes for update in updates),
        updates=updates,
        incomplete=sorted(missing),
        left_out=left,
    )
