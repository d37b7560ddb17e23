"""The audience language: the index and the single question give the same answer, and what cannot be meant is refused."""

from math import inf, nan
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_tests.hub.recording import make_hub, tab
from app.hub import audience as audiences
from app.hub import publication
from app.hub.audience import (
    AllOf,
    AnyOf,
    Audience,
    Connections,
    Except,
    FollowersOf,
    FriendsOf,
    Near,
    Roles,
    Rooms,
    Unsettled,
    Users,
    everyone,
    hears,
    signed_in,
)
from app.hub.geometry import MAX_RADIUS_KM, Place
from app.hub.hub import Hub
from app.kernel.identity import User
from app.wire.update import Update

USERS = ("ada", "bob", "cleo")
ROLES = ("admin", "premium")
ROOMS = ("lobby", "kitchen")
PLACES = tuple(Place(latitude, longitude) for latitude in (-90, -52.5, 0, 52.5, 52.6, 90) for longitude in (-180, 13.4, 179.9, 180))


def some(words: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from((*words, "unknown")), min_size=1)


def combined(inner: st.SearchStrategy[Audience]) -> st.SearchStrategy[Audience]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return several.map(AnyOf) | several.map(AllOf) | st.builds(Except, inner, inner)


radii_km = st.sampled_from((0.001, 10, 20, 1_000, 10_000, 15_000, MAX_RADIUS_KM)) | st.floats(0.001, MAX_RADIUS_KM)
settled_leaves = (
    st.sampled_from([everyone, signed_in])
    | some(USERS).map(Users)
    | some(ROLES).map(Roles)
    | some(ROOMS).map(Rooms)
    | st.builds(lambda place, km: Near(place.latitude, place.longitude, km), st.sampled_from(PLACES), radii_km)
    | st.frozensets(st.integers(0, 7), min_size=1).map(lambda places: Connections(frozenset(map(str, places))))
)
settled_audience = st.recursive(settled_leaves, combined, max_leaves=5)
unsettled_leaves = st.sampled_from(USERS).map(FollowersOf) | st.sampled_from(USERS).map(FriendsOf)
any_audience = st.recursive(settled_leaves | unsettled_leaves, combined, max_leaves=5)


class Who(NamedTuple):
    """A connection of the test."""

    user_id: str | None
    roles: frozenset[str]
    rooms: frozenset[str]
    left: frozenset[str]
    places: list[Place]
    signs_in_late: bool


anybody = st.builds(
    Who,
    st.sampled_from((None, *USERS)),
    st.frozensets(st.sampled_from(ROLES)),
    st.frozensets(st.sampled_from(ROOMS)),
    st.frozensets(st.sampled_from(ROOMS)),
    st.lists(st.sampled_from(PLACES), max_size=2),
    st.booleans(),
)


def arrive(hub: Hub, number: int, who: Who) -> None:
    connection = tab(hub, None if who.signs_in_late else who.user_id, *who.roles).connection
    hub.registry.remove(connection)
    connection.id = str(number)  # so that the strategy can name it
    hub.registry.add(connection)
    if who.signs_in_late and who.user_id is not None:
        hub.sign_in(connection, User(who.user_id, "", who.roles))
    for room_id in who.rooms:
        hub.registry.join(connection, room_id)
    for room_id in who.left:
        hub.registry.leave(connection, room_id)
    for place in who.places:
        hub.registry.locate(connection, place)


@given(settled_audience, st.lists(anybody, max_size=7))
@settings(max_examples=300, deadline=None)
async def test_the_index_finds_just_those_who_hear_each_once(audience: Audience, who: list[Who]):
    hub = make_hub()
    for number, one in enumerate(who):
        arrive(hub, number, one)
    found = [connection.id for connection in hub.registry.resolve(audience)]
    assert sorted(connection.id for connection in hub.registry if hears(connection, audience)) == sorted(found)


@given(settled_audience, anybody)
@settings(deadline=None)
async def test_whoever_hears_at_some_place_may_hear_at_any_and_whoever_hears_at_any_does(audience: Audience, who: Who):
    hub = make_hub()
    arrive(hub, 0, who)
    (connection,) = hub.registry
    must, does, may = [
        hears(connection, one)
        for one in (audiences.assuming(audience, is_near=False), audience, audiences.assuming(audience, is_near=True))
    ]
    assert must <= does <= may


@given(any_audience)
def test_an_audience_travels_as_it_is(audience: Audience):
    assert audience == msgspec.msgpack.decode(msgspec.msgpack.encode(audience), type=Audience)
    assert audience == msgspec.json.decode(msgspec.json.encode(audience), type=Audience)


def nested(depth: int) -> Audience:
    found: Audience = everyone
    for _ in range(depth - 1):
        found = AllOf((found,))
    return found


def test_eight_levels_are_the_deepest():
    assert nested(audiences.MAX_DEPTH)
    for make in (lambda inner: AnyOf((inner,)), lambda inner: AllOf((inner,)), lambda inner: Except(everyone, inner)):
        with pytest.raises(ValueError, match="nested more than 8 deep"):
            make(nested(audiences.MAX_DEPTH))


def wide(leaves: int, leaf: Audience = everyone) -> Audience:
    return AnyOf(tuple(AnyOf((leaf,) * min(32, leaves - start)) for start in range(0, leaves, 32)))


def test_sixty_four_audiences_in_all_are_the_most():
    assert wide(audiences.MAX_PARTS)
    half, more = wide(32), wide(33)
    for make in (lambda: wide(65), lambda: AllOf((half, more)), lambda: Except(half, more), lambda: Except(more, half)):
        with pytest.raises(ValueError, match="holds more than 64 audiences beside those of users and connections"):
            make()
    with pytest.raises(msgspec.ValidationError, match="more than 64 audiences"):
        msgspec.json.decode(
            msgspec.json.encode({"kind": "all_of", "audiences": [half, half, {"kind": "signed_in"}]}), type=Audience
        )


@pytest.mark.parametrize("leaf", [audiences.users("ada"), audiences.connections("c1"), audiences.nobody])
def test_who_is_named_one_by_one_is_not_counted(leaf: Audience):
    assert wide(1_024, leaf)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "users", "ids": []}',
        '{"kind": "users", "ids": [""]}',
        '{"kind": "roles", "names": ["' + "x" * 129 + '"]}',
        '{"kind": "any_of", "audiences": []}',
        '{"kind": "everybody"}',
        '{"kind": "everyone", "ids": ["ada"]}',
        '{"kind": "rooms", "ids": []}',
        '{"kind": "followers_of", "user_id": ""}',
        '{"kind": "friends_of", "ids": ["ada"]}',
        '{"kind": "near", "latitude": 90.1, "longitude": 0, "radius_km": 1}',
        '{"kind": "near", "latitude": 0, "longitude": -180.1, "radius_km": 1}',
        '{"kind": "near", "latitude": 0, "longitude": 0, "radius_km": 0}',
        '{"kind": "near", "latitude": 0, "longitude": 0, "radius_km": 20016.1}',
        '{"kind": "near", "latitude": 0, "longitude": 0}',
    ],
)
def test_an_audience_of_nobody_or_of_an_unknown_kind_is_refused(text: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Audience)


def test_short_names_for_the_common_audiences():
    assert Users(frozenset({"ada", "bob"})) == audiences.users("ada", "bob")
    assert Roles(frozenset({"admin"})) == audiences.roles("admin")
    assert Connections(frozenset({"c1"})) == audiences.connections("c1")
    assert Rooms(frozenset({"lobby"})) == audiences.rooms("lobby")
    assert audiences.nobody == audiences.rooms()
    assert (FollowersOf("ada"), FriendsOf("ada")) == (audiences.followers_of("ada"), audiences.friends_of("ada"))
    assert Near(52.0, 13.4, 10.0) == audiences.near(52, 13.4, 10)
    assert AnyOf((everyone, signed_in)) == audiences.any_of(everyone, signed_in)
    assert AllOf((everyone, signed_in)) == audiences.all_of(everyone, signed_in)
    assert Except(everyone, signed_in) == audiences.except_(everyone, signed_in)
    assert (audiences.nobody, audiences.nobody) == (audiences.any_of(), audiences.all_of())


@pytest.mark.parametrize(
    ("latitude", "longitude", "radius_km"),
    [
        (90.1, 0, 1),
        (-91, 0, 1),
        (0, 180.5, 1),
        (0, -181, 1),
        (0, 0, 0),
        (0, 0, -1),
        (0, 0, 20_017),
        (nan, 0, 1),
        (0, inf, 1),
        (0, 0, nan),
    ],
)
def test_a_circle_that_is_not_on_the_globe_is_refused(latitude: float, longitude: float, radius_km: float):
    with pytest.raises(ValueError, match="Expected `float`"):
        audiences.near(latitude, longitude, radius_km)


@pytest.mark.parametrize("count", [1_000, 1_001, 31_999, 40_000])
def test_as_many_users_as_one_likes(count: int):
    ids = [f"user-{number}" for number in range(count)]
    audience = audiences.users(*ids)
    assert audience == publication.decode(publication.encode(publication.one(audience, Update("#a", "x")))).parts[0].audience
    hub = make_hub()
    first, last = tab(hub, ids[0]).connection, tab(hub, ids[-1]).connection
    tab(hub, "somebody else")
    assert {first, last} == set(hub.registry.resolve(audience))
    assert [first, last] == [connection for connection in hub.registry if hears(connection, audience)]


@pytest.mark.parametrize(
    "audience",
    [
        FollowersOf("ada"),
        FriendsOf("ada"),
        AnyOf((everyone, FollowersOf("ada"))),
        AllOf((everyone, FriendsOf("ada"))),
        Except(FollowersOf("ada"), everyone),
        Except(everyone, FriendsOf("ada")),
        AllOf((everyone, AnyOf((everyone, FollowersOf("ada"))))),
    ],
)
def test_who_follows_whom_is_no_question_for_the_index(audience: Audience):
    hub = make_hub()
    tab(hub, "ada")
    with pytest.raises(Unsettled, match=r"await wsx\.find"):
        hub.registry.resolve(audience)


@pytest.mark.parametrize("audience", [FollowersOf("ada"), FriendsOf("ada"), Except(everyone, FollowersOf("ada"))])
def test_nor_for_a_single_connection(audience: Audience):
    with pytest.raises(Unsettled, match=r"await wsx\.find"):
        hears(tab(make_hub(), "ada").connection, audience)


def test_a_million_users_are_one_audience():
    million = audiences.users(*map(str, range(1_000_000)))
    assert AllOf((wide(audiences.MAX_PARTS), million))


def test_there_is_room_for_a_million_followers_in_the_deepest_audience():
    deepest: Audience = FollowersOf("ada")
    for _ in range(audiences.MAX_DEPTH - 3):
        deepest = AnyOf((deepest,))
    with pytest.raises(ValueError, match="nested more than 8 deep"):
        AnyOf((deepest,))
