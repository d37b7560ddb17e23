"""Socket handlers: a user's own inbox."""

from uuid import UUID

import msgspec

from app.features.asking import read, signed_in
from app.features.notifications import service
from app.features.services import Services
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request
from app.kernel.errors import NotFound, Refused


class Marking(msgspec.Struct, frozen=True, rename="camel"):
    """Which notification."""

    notification_id: UUID


async def mark_notification_read(services: Services, request: Request, connection: Connection) -> Reply | None:
    """The item and the badge change on all tabs of the user; the answer says nothing more."""
    user = signed_in(connection, "read notifications")
    asked = read(request, Marking)
    try:
        await service.mark(services, asked.notification_id, "read", on=True, owner=user.id)
    except NotFound as error:
        raise Refused("There is no such notification", code=error.code) from None
    return None


async def mark_all_read(services: Services, _request: Request, connection: Connection) -> Reply | None:
    """The list and the badge change on all tabs of the user; the answer says nothing more."""
    await service.mark_all_read(services, signed_in(connection, "read notifications").id)
    return None
