"""Socket handlers that broadcast."""

from app.features.asking import admin, signed_in
from app.features.broadcasts import service
from app.features.particulars import reached
from app.features.services import Services
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request


async def mass_update(services: Services, _request: Request, connection: Connection) -> Reply:
    """For admins: one batch to every connection."""
    admin(connection)
    receipt = await service.mass_update(services)
    reached(matched=receipt.matched, queued=receipt.queued)
    return Reply("<div>Mass update completed</div>")


async def rate_limited_update(services: Services, _request: Request, connection: Connection) -> Reply:
    """Into everyone's live feed, when its turn has come."""
    service.queue_update_from(services, signed_in(connection, "send updates"))
    return Reply("<div>Update queued for broadcast</div>")
