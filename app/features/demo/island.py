"""The island of the demo page: its places, and where on its map somebody stands. Pure."""

from math import cos, radians
from typing import Final, NamedTuple

from app.hub.geometry import Place

WIDTH: Final = 600
HEIGHT: Final = 400
UNITS_PER_KM: Final = 50
"""The map is 12 km by 8 km: the smallest circle of an event (2 km) reaches from one place to the next, and not everywhere."""
NORTH: Final = 50.036
WEST: Final = -20.084
"""Degrees of the map's upper left corner, in the Atlantic: it is nobody's real address."""
LATITUDE_PER_UNIT: Final = 1 / 111.195 / UNITS_PER_KM
LONGITUDE_PER_UNIT: Final = LATITUDE_PER_UNIT / cos(radians(50))


VIEW: Final = "48 38 540 318"
"""The part of the map that is shown: the island, and some sea."""
MEASURES: Final = {
    "view": VIEW,
    "north": NORTH,
    "west": WEST,
    "latitude_per_unit": LATITUDE_PER_UNIT,
    "longitude_per_unit": LONGITUDE_PER_UNIT,
}
"""What the page needs to know to say where on the map somebody clicked."""


class Spot(NamedTuple):
    """A place of the map, in its units from the upper left corner."""

    name: str
    x: int
    y: int

    @property
    def place(self) -> dict[str, object]:
        """As the handler `set-location` takes it."""
        latitude, longitude = NORTH - self.y * LATITUDE_PER_UNIT, WEST + self.x * LONGITUDE_PER_UNIT
        return {"name": self.name, "latitude": round(latitude, 5), "longitude": round(longitude, 5)}


SPOTS: Final = (
    Spot("Harbour", 150, 262),
    Spot("Market", 226, 208),
    Spot("Station", 318, 262),
    Spot("Mill", 352, 122),
    Spot("Lighthouse", 500, 215),
)


def on_map(place: Place | None) -> tuple[float, float] | None:
    """Where on the map a place is, in its units; None for what is not on it."""
    if place is None:
        return None
    x, y = (place.longitude - WEST) / LONGITUDE_PER_UNIT, (NORTH - place.latitude) / LATITUDE_PER_UNIT
    return (round(x, 1), round(y, 1)) if 0 <= x <= WIDTH and 0 <= y <= HEIGHT else None
