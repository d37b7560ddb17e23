"""Use cases: announce maintenance."""

from datetime import datetime

from app.features.maintenance import view
from app.features.services import Services
from app.hub.audience import everyone
from app.hub.events import Maintenance
from app.hub.publication import Receipt, one


async def announce(services: Services, message: str, scheduled_time: datetime) -> Receipt:
    """Show a notice to everyone, then tell the site's own code by `system.maintenance`. `scheduled_time`: in UTC."""
    receipt = await services.hub.publish(one(everyone, view.notice(message, scheduled_time)))
    services.hub.events.emit("system.maintenance", Maintenance(message, scheduled_time))
    return receipt
