"""Distances on the globe, and the cells of a circle: no place within it may lie in a cell that is not looked at."""

from math import asin, atan2, cos, degrees, pi, radians, sin

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.hub import geometry
from app.hub.geometry import EARTH_RADIUS_KM, MAX_RADIUS_KM, Circle, Place, cell_of, cells_within, distance_km

BERLIN = Place(52.52, 13.405, "Berlin")
PARIS = Place(48.8566, 2.3522, "Paris")
SYDNEY = Place(-33.8688, 151.2093, "Sydney")
TOKYO = Place(35.6762, 139.6503, "Tokyo")
LOS_ANGELES = Place(34.0522, -118.2437, "Los Angeles")
HALF_WAY_KM = pi * EARTH_RADIUS_KM
DEGREE_KM = HALF_WAY_KM / 180


def between_km(one: Place, other: Place) -> float:
    return distance_km(one.latitude, one.longitude, other)


@pytest.mark.parametrize(
    ("one", "other", "km", "within_km"),
    [
        (BERLIN, PARIS, 878, 2),
        (BERLIN, SYDNEY, 16_090, 20),
        (TOKYO, LOS_ANGELES, 8_815, 10),
        (BERLIN, BERLIN, 0, 0),
        (Place(90, 0), Place(-90, 77), HALF_WAY_KM, 0.001),
        (Place(90, 0), Place(90, 123), 0, 1e-9),
        (Place(90, 10), Place(0, -20), HALF_WAY_KM / 2, 0.001),
        (Place(0, 179.9), Place(0, -179.9), 0.2 * DEGREE_KM, 1e-6),
        (Place(52, 180), Place(52, -180), 0, 1e-9),
        (Place(12.3, 45.6), Place(-12.3, -134.4), HALF_WAY_KM, 0.001),
        (Place(52.52, 13.405), Place(52.52 + 0.001 / DEGREE_KM, 13.405), 0.001, 1e-9),
    ],
)
def test_the_way_along_the_ground_is_known(one: Place, other: Place, km: float, within_km: float):
    assert pytest.approx(km, abs=within_km or 1e-12) == between_km(one, other)


def around(border: float) -> st.SearchStrategy[float]:
    """Just on this or that side of a border, or on it."""
    return (
        st.floats(-9, 0).map(lambda size: border - 10**size)
        | st.floats(-9, 0).map(lambda size: border + 10**size)
        | st.just(border)
    )


def biased(limit: float, border_at: st.SearchStrategy[float]) -> st.SearchStrategy[float]:
    clamped = (st.sampled_from((-limit, 0.0, limit)) | border_at).flatmap(around)
    return st.floats(-limit, limit) | clamped.map(lambda value: min(max(value, -limit), limit))


latitudes = biased(90, st.integers(-900, 900).map(lambda tenths: tenths / 10))
longitudes = biased(180, st.integers(-1_800, 1_800).map(lambda tenths: tenths / 10))
places = st.builds(Place, latitudes, longitudes)


def towards(latitude: float, longitude: float, km: float, bearing: float) -> Place:
    """The place so far away in this direction (radians; 0 is north)."""
    angle, north = km / EARTH_RADIUS_KM, radians(latitude)
    up = asin(min(1, max(-1, sin(north) * cos(angle) + cos(north) * sin(angle) * cos(bearing))))
    along = atan2(sin(bearing) * sin(angle) * cos(north), cos(angle) - sin(north) * sin(up))
    return Place(degrees(up), (longitude + degrees(along) + 180) % 360 - 180)


@st.composite
def circles(draw: st.DrawFn, largest_km: float) -> tuple[float, float, float]:
    latitude, longitude = draw(latitudes), draw(longitudes)
    to_pole_km = (90 - abs(latitude)) * DEGREE_KM
    sizes = st.floats(-3, 4.4).map(lambda size: 10**size) | (st.just(to_pole_km) | st.just(HALF_WAY_KM / 2)).flatmap(around)
    return latitude, longitude, min(max(draw(sizes), 0.001), largest_km)


@st.composite
def circles_and_places(draw: st.DrawFn, largest_km: float) -> tuple[tuple[float, float, float], Place]:
    """A circle and a place: anywhere, or at the circle's edge, half of them in the direction in which the circle is widest."""
    latitude, longitude, radius_km = circle = draw(circles(largest_km))
    share = st.sampled_from((1.0, 1 - 1e-15, 1 - 1e-12, 1 - 1e-9)) | st.floats(0, 1)
    bearings = st.floats(0, 2 * pi) | st.sampled_from((0, pi / 2, pi, -pi / 2)) | st.just(widest(latitude, radius_km))
    at_the_edge = st.builds(lambda part, bearing: towards(latitude, longitude, radius_km * part, bearing), share, bearings)
    return circle, draw(at_the_edge | at_the_edge | places)


def widest(latitude: float, radius_km: float) -> float:
    """The direction of the place of a circle that is farthest east: there a meridian touches it."""
    angle = radius_km / EARTH_RADIUS_KM
    north = radians(latitude)
    if abs(cos(angle)) < abs(sin(north)) or angle > pi / 2:  # it holds a pole: nothing touches
        return pi / 2
    up = asin(min(1, max(-1, sin(north) / max(cos(angle), 1e-12))))
    along = asin(min(1, sin(angle) / max(cos(north), 1e-12)))
    return atan2(sin(along) * cos(up), cos(north) * sin(up) - sin(north) * cos(up) * cos(along))


def check_is_found(circle: tuple[float, float, float], place: Place) -> None:
    latitude, longitude, radius_km = circle
    if distance_km(latitude, longitude, place) <= radius_km:
        wanted = cell_of(place)
        assert any(wanted == cell for cell in cells_within(latitude, longitude, radius_km))


@given(circles_and_places(largest_km=300))
@example(((0.0, 0.0, 0.001), Place(0, 0)))
@example(((0.0, 180.0, 10.0), Place(0.05, -180)))
@example(((90.0, 0.0, 10.0), Place(89.95, -180)))
@example(((89.9999, 0.0, 0.02), Place(89.99995, 180)))
@settings(max_examples=1_000, deadline=None)
def test_whoever_is_within_a_circle_is_in_one_of_its_cells(circle_and_place: tuple[tuple[float, float, float], Place]):
    check_is_found(*circle_and_place)


@pytest.fixture(scope="module")
def coarse_map():
    """A map of a four-hundredth of the cells, so that circles around half of the globe can be looked at by the thousand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geometry, "_BANDS", 90)
        patch.setattr(geometry, "_CELLS_AT_EQUATOR", 180)
        yield


@given(circles_and_places(largest_km=MAX_RADIUS_KM))
@example(((0.0, 0.0, MAX_RADIUS_KM), Place(0, 180)))
@example(((52.52, 13.405, MAX_RADIUS_KM), Place(-52.52, -166.595)))
@example(((0.0, 5e-7, HALF_WAY_KM / 2 - 1e-5), Place(0, 90)))
@settings(max_examples=500, deadline=None)
def test_circles_as_large_as_the_globe_too(coarse_map: None, circle_and_place: tuple[tuple[float, float, float], Place]):
    check_is_found(*circle_and_place)


@given(circles_and_places(largest_km=MAX_RADIUS_KM))
@example(((0.0, 180.0, 10.0), Place(0.05, -180)))
@example(((0.0, 179.99, 10.0), Place(0.0, -179.99)))
@example(((90.0, 0.0, 10.0), Place(89.95, -180)))
@example(((0.0, 0.0, MAX_RADIUS_KM), Place(0, 180)))
@example(((-89.95, 30.0, 12.0), Place(-89.95, -150)))
@settings(max_examples=1_000, deadline=None)
def test_a_circle_holds_just_those_whose_distance_is_within_it(circle_and_place: tuple[tuple[float, float, float], Place]):
    (latitude, longitude, radius_km), place = circle_and_place
    assert (distance_km(latitude, longitude, place) <= radius_km) is Circle(latitude, longitude, radius_km).holds(place)


def test_of_a_city_within_a_large_circle_no_distance_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(geometry, "distance_km", None)
    circle = Circle(52.52, 13.405, 100)
    assert [True, True] == [circle.holds(Place(52.52 + north, 13.405 - north)) for north in (0.1, -0.3)]
    assert [False, False, False] == [circle.holds(place) for place in (PARIS, Place(52.52, 15.5), Place(53.6, 13.405))]


@pytest.mark.parametrize("place", [Place(90, 0), Place(-90, 0), Place(0, 179.99), Place(-52.52, -166.595), Place(52, 13)])
def test_everybody_is_within_half_of_the_way_around(place: Place):
    assert between_km(BERLIN, place) <= MAX_RADIUS_KM
    check_is_found((BERLIN.latitude, BERLIN.longitude, MAX_RADIUS_KM), place)


def test_a_place_at_the_very_edge_of_a_hemisphere_is_found():
    check_is_found((0.0, -5.899998107922113, 10007.557015917002), Place(0.0, 84.10000000000002))


@given(circles(largest_km=MAX_RADIUS_KM))
@settings(max_examples=200, deadline=None)
def test_each_cell_of_a_large_circle_comes_once(coarse_map: None, circle: tuple[float, float, float]):
    cells = list(cells_within(*circle))
    assert len(set(cells)) == len(cells)


@given(latitudes, longitudes, st.floats(0.001, 10))
@settings(max_examples=500)
def test_a_local_event_touches_few_cells_wherever_it_is_and_each_comes_once(latitude: float, longitude: float, radius_km: float):
    cells = list(cells_within(latitude, longitude, radius_km))
    assert len(set(cells)) == len(cells)
    assert 1 <= len(cells) <= 30


@given(places, places)
def test_the_way_back_is_as_long_and_none_is_longer_than_half_around(one: Place, other: Place):
    there_km = between_km(one, other)
    assert pytest.approx(there_km, abs=0.001) == between_km(other, one)
    assert 0 <= there_km <= MAX_RADIUS_KM
    assert 0 == between_km(one, one)
