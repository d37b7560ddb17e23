"""REST: send to an audience."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from app.auth.keys import Caller
from app.features.broadcasts import service
from app.features.content import Content, Making, made
from app.features.dry_run import DryRun, dry_run, dry_run_of_batch
from app.features.left_out import LeftOuts, left_out
from app.features.listing import Incomplete
from app.features.services import GivenServices, Services
from app.hub.audience import MAX_PARTS_IN_BATCH, Audience, parts_of
from app.hub.publication import Part, Publication, one
from app.kernel.errors import NotFound, WrongField
from app.kernel.ids import new_short_id
from app.web.given import GivenCaller
from app.web.operation import operation

MAX_BATCH = 100
"""Updates in one batch."""
MAX_TTL_S = 86_400
"""Seconds of `ttl_s`, a day. The journal forgets earlier, unless it is told to keep for longer."""

TAG = "Broadcasts"


class AddressedContent(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One update and who hears it."""

    audience: Audience


class NewBroadcast(AddressedContent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One update, who hears it, and whether it goes out now or when its turn has come."""

    pace: Annotated[
        Literal["queued"] | None,
        Meta(description=f"queued: in the order given, at most {service.QUEUED_PER_S:g} a second; without it, now"),
    ] = None
    ttl_s: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_TTL_S)] | None,
        Meta(description="Seconds from now after which nobody who was away is shown it any more; null: while the journal has it"),
    ] = None


class NewBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several updates, each with its audience."""

    updates: Annotated[tuple[AddressedContent, ...], Meta(min_length=1, max_length=MAX_BATCH)]

    def __post_init__(self) -> None:
        """Refuse too many audiences."""
        if sum(parts_of(update.audience) for update in self.updates) > MAX_PARTS_IN_BATCH:
            message = f"hold more than {MAX_PARTS_IN_BATCH} audiences beside those of users and connections; send several batches"
            raise WrongField("updates", message)


class Broadcast(msgspec.Struct, frozen=True):
    """What became of a broadcast."""

    id: str
    matched: Annotated[
        int, Meta(description="Connections in the audience: at first on the node that was asked, when asked again on all")
    ]
    queued: Annotated[int, Meta(description="Connections that it was queued for; the others were leaving or far behind")]
    waiting: Annotated[
        int | UnsetType, Meta(description="While it waits for its turn: how many go before it. Nobody has heard it yet")
    ] = UNSET
    incomplete: Incomplete | UnsetType = UNSET
    left_out: LeftOuts = UNSET


_UPDATE = {"target": "#announcements", "html": "<p>Back in five minutes</p>", "swap": "afterbegin"}
_RECEIPT = {"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 3, "queued": 3}


async def try_broadcast(data: NewBroadcast, services: Services, caller: Caller) -> DryRun:
    """What `create_broadcast` would do."""
    return await dry_run(services, caller, data.audience, made(data, caller))


@operation(
    "POST",
    "/broadcasts",
    dry_run=try_broadcast,
    scope="broadcasts:write",
    tag=TAG,
    summary="Broadcast an update",
    status=HTTPStatus.ACCEPTED,
    takes={"audience": {"kind": "everyone"}, **_UPDATE},
    gives=_RECEIPT,
)
async def create_broadcast(data: JSONBody[NewBroadcast], services: GivenServices, caller: GivenCaller) -> Broadcast:
    """Swap HTML into the pages of everyone in the audience. Nothing is stored.

    With `"pace": "queued"` it waits its turn behind the others of that pace; who hears it is found then. A full queue takes nothing
    more for now and answers 503. What still waits when its `ttl_s` is over is dropped.
    """
    update = made(data, caller)
    publication = one(data.audience, update, ttl_s=data.ttl_s or 0)
    if data.pace == "queued":
        return Broadcast(publication.id, 0, 0, service.queue(services, publication), left_out=left_out([update]))
    receipt = await services.hub.publish(publication)
    return Broadcast(receipt.id, receipt.matched, receipt.queued, left_out=left_out([update]))


async def try_broadcast_batch(data: NewBatch, services: Services, caller: Caller) -> DryRun:
    """What `create_broadcast_batch` would do."""
    return await dry_run_of_batch(services, caller, _parts(data, caller))


@operation(
    "POST",
    "/broadcasts/batch",
    dry_run=try_broadcast_batch,
    scope="broadcasts:write",
    tag=TAG,
    summary="Broadcast several updates",
    status=HTTPStatus.ACCEPTED,
    takes={
        "updates": [
            {"audience": {"kind": "everyone"}, **_UPDATE},
            {"audience": {"kind": "roles", "names": ["admin"]}, "target": "#admin-panel", "html": "<p>Restarting</p>"},
        ]
    },
    gives=_RECEIPT,
)
async def create_broadcast_batch(data: JSONBody[NewBatch], services: GivenServices, caller: GivenCaller) -> Broadcast:
    """Send up to 100 updates. Each connection gets one message with just what it may hear, in the order given."""
    parts = _parts(data, caller)
    receipt = await services.hub.publish(Publication(new_short_id(), parts, is_batch=True))
    return Broadcast(receipt.id, receipt.matched, receipt.queued, left_out=left_out([part.update for part in parts]))


@operation(
    "GET",
    "/broadcasts/{broadcast_id:str}",
    scope="broadcasts:write",
    tag=TAG,
    summary="What became of a broadcast",
    gives={**_RECEIPT, "incomplete": []},
    errors=[404],
)
async def get_broadcast(broadcast_id: FromPath[str], services: GivenServices) -> Broadcast:
    """Summed over all nodes. One that waits for its turn says how many go before it.

    Each node remembers its newest 10,000 until it stops. 503 where nobody knows it and a node does not answer.
    """
    summed = await services.everywhere.receipt(broadcast_id)
    if summed is None:
        message = "no broadcast of this id is remembered"
        raise NotFound(message)
    waiting = UNSET if summed.waiting is None else summed.waiting
    return Broadcast(broadcast_id, summed.matched, summed.queued, waiting, list(summed.missing))


def _parts(batch: NewBatch, caller: Caller) -> tuple[Part, ...]:
    making = Making(caller)
    return tuple(Part(new.audience, making.update(new, f"/updates/{place}")) for place, new in enumerate(batch.updates))


routes = [create_broadcast, create_broadcast_batch, get_broadcast]
