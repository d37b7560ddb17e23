"""Use cases: a page says where it is; those who are near hear of an event.

Places live on connections and go with them: they are neither stored nor logged.
"""

from typing import Final, NamedTuple

from app.features.locations import view
from app.features.locations.event import LocalEvent
from app.features.services import Services
from app.hub.audience import Audience, near
from app.hub.publication import Receipt, one
from app.kernel.errors import Refused
from app.kernel.identity import User

MAX_RADIUS_OF_USERS_KM: Final = 100.0
"""Kilometres that somebody who is no admin can reach over the socket: a stranger must not shout at a continent."""
MIN_RADIUS_OF_USERS_KM: Final = 1.0
"""Kilometres that such an event reaches at least: who tells of it learns how many users were reached, and by ever smaller circles
anybody could find out where somebody is."""
RADIUS_TOO_LARGE: Final = "radius_too_large"
RADIUS_TOO_SMALL: Final = "radius_too_small"


class Told(NamedTuple):
    """Whom an event reached."""

    receipt: Receipt
    users: int
    """Users on all nodes that answered, however many tabs each has. Who tells of it counts, if near."""


def check_reach(user: User, radius_km: float) -> None:
    """Raise Refused when this user may not reach so far, or may not aim so precisely. Admins may."""
    if user.is_admin:
        return
    if radius_km < MIN_RADIUS_OF_USERS_KM:
        message = f"An event must reach {MIN_RADIUS_OF_USERS_KM:g} km at least"
        raise Refused(message, code=RADIUS_TOO_SMALL)
    if radius_km > MAX_RADIUS_OF_USERS_KM:
        message = f"An event can reach {MAX_RADIUS_OF_USERS_KM:g} km at most"
        raise Refused(message, code=RADIUS_TOO_LARGE)


async def tell_nearby(services: Services, event: LocalEvent) -> Told:
    """Show an event to those within its circle."""
    audience = within(event)
    there = await services.everywhere.count(audience)
    return Told(await services.hub.publish(one(audience, view.happening(event))), there.users)


def within(event: LocalEvent) -> Audience:
    """Those within its circle."""
    return near(event.place.latitude, event.place.longitude, event.radius_km)
