"""Places on the globe: distances along great circles, and the map cells that a circle touches. Pure.

The map is cut into bands of latitude of 0.1 degrees (11 km), each band into cells of about the same width: 3,600 at the equator,
six around a pole. So a cell has the same size everywhere, and the date line is a border of cells like any other.
"""

from collections.abc import Iterator
from math import asin, cos, degrees, floor, radians, sin, sqrt
from typing import Annotated, Final

import msgspec
from msgspec import Meta

EARTH_RADIUS_KM: Final = 6_371.0088
"""Mean radius (IUGG). The globe is taken for a sphere: distances are within 0.6 % of those on the ellipsoid."""
MAX_RADIUS_KM: Final = 20_016.0
"""Half of the way around: every place is within it."""

_BANDS: Final = 1_800
_CELLS_AT_EQUATOR: Final = 3_600
_SLACK: Final = 1e-5
"""Degrees by which a circle is widened (1 m), so that rounding puts no place outside of it. Where a circle almost touches a pole,
or is almost a hemisphere, its reach to the sides is an arcsine near 1: off by up to 1e-6 degrees."""

Latitude = Annotated[float, Meta(ge=-90, le=90, description="Degrees north", examples=[52.52])]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="Degrees east", examples=[13.405])]
RadiusKm = Annotated[float, Meta(gt=0, le=MAX_RADIUS_KM, description="Kilometres along the ground", examples=[10])]


class Place(msgspec.Struct, frozen=True):
    """Where somebody is, as their page said it."""

    latitude: Latitude
    longitude: Longitude
    name: str = ""


def distance_km(latitude: float, longitude: float, place: Place) -> float:
    """Great-circle distance in kilometres, by the haversine: exact for small distances too."""
    north, other_north = radians(latitude), radians(place.latitude)
    half_up = sin((other_north - north) / 2)
    half_along = sin(radians(place.longitude - longitude) / 2)
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half_up**2 + cos(north) * cos(other_north) * half_along**2)))


def cell_of(place: Place) -> int:
    """The number of the cell that holds the place."""
    band = _band(place.latitude)
    return _cell(band, _column(place.longitude, _cells_in(band)))


def cells_within(latitude: float, longitude: float, radius_km: float) -> Iterator[int]:
    """The cells that a circle touches, and a few beside it. Each once."""
    up, along = _reach(latitude, radius_km)
    for band in range(_band(latitude - up), _band(latitude + up) + 1):
        cells = _cells_in(band)
        first = floor((longitude - along + 180) / 360 * cells)
        last = floor((longitude + along + 180) / 360 * cells)
        for column in range(first, min(last + 1, first + cells)):
            yield _cell(band, column % cells)


class Circle:
    """The places within a radius, for asking about many: by far most are decided without an angle's sine."""

    __slots__ = ("_along", "_latitude", "_longitude", "_narrowing", "_radius_km", "_surely", "_up")

    def __init__(self, latitude: float, longitude: float, radius_km: float) -> None:
        self._latitude, self._longitude, self._radius_km = latitude, longitude, radius_km
        self._up, self._along = _reach(latitude, radius_km)
        self._narrowing = cos(radians(latitude))
        self._surely = degrees(radius_km / EARTH_RADIUS_KM) - _SLACK

    def holds(self, place: Place) -> bool:
        """Whether the place is within the radius: just what `distance_km` says.

        Along the meridian and then along the centre's parallel is no shorter than the great circle: whoever is near by that way
        is near. Whoever is out of the box around the circle is not. The date line needs no care: across it the way comes out too
        long, which decides nothing, and a difference of almost 360 degrees is a small one.
        """
        up, along = abs(place.latitude - self._latitude), abs(place.longitude - self._longitude)
        if up + along * self._narrowing <= self._surely:
            return True
        if up > self._up or self._along < along < 360 - self._along:
            return False
        return distance_km(self._latitude, self._longitude, place) <= self._radius_km


def _reach(latitude: float, radius_km: float) -> tuple[float, float]:
    """Degrees that a circle reaches to north and south, and to east and west: a little more than it does; 180 is all around."""
    angle = radius_km / EARTH_RADIUS_KM + radians(_SLACK)
    up = degrees(angle)
    if latitude + up >= 90 or latitude - up <= -90:  # it holds a pole
        return up, 180.0
    return up, degrees(asin(min(1.0, sin(angle) / cos(radians(latitude))))) + _SLACK


def _band(latitude: float) -> int:
    return min(max(floor((latitude + 90) / 180 * _BANDS), 0), _BANDS - 1)


def _cells_in(band: int) -> int:
    """Cells of a band: as many as its side nearer to the equator needs."""
    south = band * 180 / _BANDS - 90
    nearest = max(south, -(south + 180 / _BANDS), 0.0)
    return round(_CELLS_AT_EQUATOR * cos(radians(nearest)))


def _column(longitude: float, cells: int) -> int:
    return floor((longitude + 180) / 360 * cells) % cells


def _cell(band: int, column: int) -> int:
    return band * _CELLS_AT_EQUATOR + column
