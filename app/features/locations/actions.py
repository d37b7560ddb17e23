"""Socket handlers of places."""

import msgspec

from app.features.asking import read, signed_in, written
from app.features.locations import service, view
from app.features.locations.event import DEFAULT_RADIUS_KM, Description, LocalEvent, PlaceName, Title
from app.features.services import Services
from app.hub.connection import Connection
from app.hub.geometry import Latitude, Longitude, Place, RadiusKm
from app.hub.handlers import Reply, Request


class SetLocation(msgspec.Struct, frozen=True, rename="camel"):
    """Data of `set-location`."""

    latitude: Latitude
    longitude: Longitude
    name: PlaceName = ""


class EventData(msgspec.Struct, frozen=True, rename="camel"):
    """What happens."""

    title: Title
    description: Description = ""


class EventLocation(msgspec.Struct, frozen=True, rename="camel"):
    """Where it happens."""

    name: PlaceName
    latitude: Latitude
    longitude: Longitude


class TellNearby(msgspec.Struct, frozen=True, rename="camel"):
    """Data of `local-event`."""

    event_data: EventData
    location: EventLocation
    radius_km: RadiusKm = DEFAULT_RADIUS_KM


async def set_location(services: Services, request: Request, connection: Connection) -> Reply:
    """Note where the page is, for as long as its connection lives."""
    signed_in(connection, "share your location")
    asked = read(request, SetLocation)
    services.hub.locate(connection, Place(asked.latitude, asked.longitude, asked.name))
    return Reply(view.located(asked.name))


async def local_event(services: Services, request: Request, connection: Connection) -> Reply:
    """Tell those who are near of an event."""
    user = signed_in(connection, "tell of local events")
    asked = read(request, TellNearby)
    service.check_reach(user, asked.radius_km)
    place = Place(asked.location.latitude, asked.location.longitude, asked.location.name)
    event = LocalEvent(written(asked.event_data.title), asked.event_data.description, place, asked.radius_km)
    told = await service.tell_nearby(services, event)
    return Reply(view.told(told.users))
