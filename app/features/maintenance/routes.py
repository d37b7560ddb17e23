"""REST: maintenance."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from app.auth.keys import Caller
from app.features.dry_run import DryRun, dry_run
from app.features.maintenance import service, view
from app.features.services import GivenServices, Services
from app.hub.audience import everyone
from app.kernel.errors import WrongField
from app.kernel.text import NO_NUL
from app.web.operation import operation

TAG = "Maintenance"

MAX_MESSAGE_CHARS = 2_000


class NewMaintenance(msgspec.Struct, forbid_unknown_fields=True):
    """Maintenance to be announced."""

    message: Annotated[
        str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL, description="Plain text; shown escaped")
    ]
    scheduled_time: Annotated[datetime, Meta(tz=True, description="When it begins (RFC 3339); pages are shown it in UTC")]

    def __post_init__(self) -> None:
        """Keep the time in UTC, and refuse one that UTC has not: the first and last hours of the calendar in other zones."""
        try:
            self.scheduled_time = self.scheduled_time.astimezone(UTC)
        except OverflowError:
            raise WrongField("scheduled_time", "this time is outside of the calendar in UTC") from None


class SentMaintenance(msgspec.Struct, frozen=True):
    """What became of the notice."""

    id: str
    matched: Annotated[int, Meta(description="Connections that are open")]
    queued: Annotated[int, Meta(description="Connections that it was queued for")]


async def try_maintenance(data: NewMaintenance, services: Services, caller: Caller) -> DryRun:
    """What `create_maintenance` would do."""
    return await dry_run(services, caller, everyone, view.notice(data.message, data.scheduled_time))


@operation(
    "POST",
    "/maintenance",
    dry_run=try_maintenance,
    scope="broadcasts:write",
    tag=TAG,
    summary="Announce maintenance",
    status=HTTPStatus.ACCEPTED,
    takes={"message": "The shop is closed for half an hour", "scheduled_time": "2026-11-24T22:00:00Z"},
    gives={"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 3, "queued": 3},
)
async def create_maintenance(data: JSONBody[NewMaintenance], services: GivenServices) -> SentMaintenance:
    """Show a notice on top of `#system-notices` to everyone, now. Nothing is stored."""
    receipt = await service.announce(services, data.message, data.scheduled_time)
    return SentMaintenance(receipt.id, receipt.matched, receipt.queued)


routes = [create_maintenance]
