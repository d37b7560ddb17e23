"""REST: local events."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from app.auth.keys import Caller
from app.features.dry_run import DryRun, dry_run
from app.features.locations import service, view
from app.features.locations.event import DEFAULT_RADIUS_KM, Description, LocalEvent, PlaceName, Title
from app.features.services import GivenServices, Services
from app.hub.geometry import Latitude, Longitude, Place, RadiusKm
from app.web.operation import operation

TAG = "Local events"


class NamedPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place on the globe."""

    name: PlaceName
    latitude: Latitude
    longitude: Longitude


class NewLocalEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event, and how far it is told."""

    title: Title
    location: NamedPlace
    description: Description = ""
    radius_km: RadiusKm = DEFAULT_RADIUS_KM

    def event(self) -> LocalEvent:
        """As it is told."""
        place = Place(self.location.latitude, self.location.longitude, self.location.name)
        return LocalEvent(self.title, self.description, place, self.radius_km)


class SentLocalEvent(msgspec.Struct, frozen=True):
    """What became of a local event."""

    id: str
    matched: Annotated[int, Meta(description="Connections within the circle, on the node that was asked")]
    queued: Annotated[int, Meta(description="Those of them that it was queued for")]
    users: Annotated[int, Meta(description="Users within the circle, on the nodes that answered in time")]


async def try_local_event(data: NewLocalEvent, services: Services, caller: Caller) -> DryRun:
    """What `create_local_event` would do."""
    event = data.event()
    return await dry_run(services, caller, service.within(event), view.happening(event))


@operation(
    "POST",
    "/local-events",
    dry_run=try_local_event,
    scope="broadcasts:write",
    tag=TAG,
    summary="Tell those who are near",
    status=HTTPStatus.ACCEPTED,
    takes={
        "title": "Street music",
        "description": "Three bands until midnight",
        "location": {"name": "Market square", "latitude": 52.52, "longitude": 13.405},
        "radius_km": 10,
    },
    gives={"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 3, "queued": 3, "users": 2},
)
async def create_local_event(data: JSONBody[NewLocalEvent], services: GivenServices) -> SentLocalEvent:
    """Show an event on top of `#local-events` to those whose page has said a place within the circle. Nothing is stored."""
    receipt, users = await service.tell_nearby(services, data.event())
    return SentLocalEvent(receipt.id, receipt.matched, receipt.queued, users)


routes = [create_local_event]
