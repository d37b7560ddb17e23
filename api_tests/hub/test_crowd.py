"""Among ten thousand: finding a few costs what it costs among a hundred, and who is near is found without looking at who is far."""

import timeit
from collections.abc import Callable

import pytest

from api_tests.counting import counted
from api_tests.hub.recording import make_hub, tab
from app.hub.audience import Audience, hears, near, rooms, users
from app.hub.connection import Connection
from app.hub.geometry import MAX_RADIUS_KM, Place
from app.hub.hub import Hub
from app.hub.places import FEW_CELLS, Places
from benchmarks.chance import Chance

LAND = [  # latitudes, longitudes, share: where most of the world's land is, roughly
    ((36, 60), (-8, 40), 10),  # Europe
    ((50, 70), (40, 140), 18),  # northern Asia
    ((20, 45), (45, 120), 22),  # southern Asia
    ((-30, 32), (-12, 45), 30),  # Africa, nearly
    ((30, 60), (-125, -75), 18),  # North America
    ((-40, 5), (-75, -40), 17),  # South America
    ((-38, -15), (115, 150), 8),  # Australia
    ((-46, -35), (167, 178), 1),  # New Zealand
    ((-19, -16), (177, 180), 1),  # Fiji, on both sides of the date line
    ((-19, -16), (-180, -178), 1),
]
GERMANY = [((47.5, 54.5), (6.5, 14.5), 1)]
NETHERLANDS = [((51.0, 53.3), (3.8, 6.9), 1)]
EVENT_KM = 10


def scattered(count: int, areas: list[tuple[tuple[float, float], tuple[float, float], int]]) -> list[Place]:
    """Places at random, the same in every run."""
    chance = Chance(52_13)
    chosen = chance.choices(areas, [share for _, _, share in areas], k=count)
    return [Place(chance.uniform(*latitudes), chance.uniform(*longitudes)) for latitudes, longitudes, _ in chosen]


def crowd(count: int) -> Hub:
    """So many connections: two for each user, ten in each room."""
    hub = make_hub()
    for number in range(count):
        hub.registry.join(tab(hub, f"user-{number // 2}").connection, f"room-{number // 10}")
    return hub


@pytest.fixture(scope="module")
def many() -> Hub:
    return crowd(10_000)


@pytest.fixture(scope="module")
def few() -> Hub:
    return crowd(100)


def steps_of(function: Callable[[], object]) -> int:
    """How many calls it makes: the same on every machine, however busy."""
    with counted() as found:
        function()
    return found["call"] + found["c_call"]


@pytest.mark.parametrize(("audience", "count"), [(rooms("room-3"), 10), (users("user-3"), 2), (users("user-3", "user-7"), 4)])
def test_a_room_of_ten_and_a_user_of_two_cost_the_same_in_any_crowd(many: Hub, few: Hub, audience: Audience, count: int):
    def find(hub: Hub) -> Callable[[], tuple[Connection, ...]]:
        return lambda: tuple(hub.registry.resolve(audience))

    find_among_many, find_among_few = find(many), find(few)
    assert (count, count) == (len(find_among_many()), len(find_among_few()))
    assert steps_of(find_among_many) == steps_of(find_among_few)
    seconds: dict[str, list[float]] = {"many": [], "few": []}
    for _ in range(10):  # by turns: what else the machine does meets both
        seconds["many"].append(timeit.timeit(find_among_many, number=300))
        seconds["few"].append(timeit.timeit(find_among_few, number=300))
    assert min(seconds["many"]) < 2 * min(seconds["few"])


@pytest.mark.parametrize("areas", [LAND, GERMANY, NETHERLANDS], ids=["the world's land", "one country", "a small country"])
def test_a_local_event_looks_at_less_than_a_twentieth_of_ten_thousand(
    many: Hub, areas: list[tuple[tuple[float, float], tuple[float, float], int]]
):
    registry = many.registry
    for connection, place in zip(registry, scattered(len(registry), areas), strict=True):
        registry.locate(connection, place)
    events = [connection.place for connection in list(registry)[::500]] + scattered(20, areas)
    for event in events:
        looked_at = len(
            list(registry._places.candidates(event.latitude, event.longitude, EVENT_KM))
        )  # who is asked for its distance
        assert looked_at < len(registry) / 20
    for event in events[::10]:
        audience = near(event.latitude, event.longitude, EVENT_KM)
        assert {connection for connection in registry if hears(connection, audience)} == set(registry.resolve(audience))


@pytest.mark.parametrize("areas", [LAND, GERMANY, NETHERLANDS], ids=["the world's land", "one country", "a small country"])
def test_nor_does_it_among_a_hundred_thousand(areas: list[tuple[tuple[float, float], tuple[float, float], int]]):
    places = Places()
    there = scattered(100_000, areas)
    for place in there:
        places.add(place, place)  # the index does not ask what it holds
    for event in there[::5_000]:
        candidates = list(places.candidates(event.latitude, event.longitude, EVENT_KM))
        assert len(candidates) < len(there) / 20
        assert len(set(candidates)) == len(candidates)


def test_users_who_are_known_by_their_town_are_not_looked_at_from_another_one():
    towns = [Place(52.52, 13.405, "Berlin"), Place(48.8566, 2.3522, "Paris"), Place(-33.8688, 151.2093, "Sydney")]
    places = Places()
    for number in range(3_000):
        places.add(number, towns[number % 3])
    assert 3 == len(places)
    for which, town in enumerate(towns):
        assert set(range(which, 3_000, 3)) == set(places.candidates(town.latitude, town.longitude, EVENT_KM))
    assert [] == list(places.candidates(0, 0, EVENT_KM))


def test_a_circle_of_more_cells_than_are_used_looks_at_everybody_and_no_cell_twice():
    places = Places()
    there = scattered(2 * FEW_CELLS, LAND)
    for place in there:
        places.add(place, place)
    assert sorted(there, key=repr) == sorted(places.candidates(52.52, 13.405, MAX_RADIUS_KM), key=repr)
    assert steps_of(lambda: list(places.candidates(52.52, 13.405, MAX_RADIUS_KM))) < 5_000  # of two million cells
    for place in there:
        places.discard(place, place)
    assert (0, []) == (len(places), list(places.candidates(52.52, 13.405, MAX_RADIUS_KM)))
