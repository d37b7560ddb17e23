"""The audience language: the index and the single question give the same answer, and what cannot be meant is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_tests.hub.recording import make_hub, tab
from app.hub import audience as audiences
from app.hub.audience import AllOf, AnyOf, Audience, Connections, Except, Roles, Users, everyone, hears, signed_in

USERS = ("ada", "bob", "cleo")
ROLES = ("admin", "premium")


def some(words: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from((*words, "unknown")), min_size=1)


def combined(inner: st.SearchStrategy[Audience]) -> st.SearchStrategy[Audience]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return several.map(AnyOf) | several.map(AllOf) | st.builds(Except, inner, inner)


any_audience = st.recursive(
    st.sampled_from([everyone, signed_in])
    | some(USERS).map(Users)
    | some(ROLES).map(Roles)
    | st.frozensets(st.integers(0, 7), min_size=1).map(lambda places: Connections(frozenset(map(str, places)))),
    combined,
    max_leaves=5,
)


@given(any_audience, st.lists(st.tuples(st.sampled_from((None, *USERS)), st.frozensets(st.sampled_from(ROLES))), max_size=7))
async def test_the_index_finds_just_those_who_hear_each_once(audience: Audience, who: list[tuple[str | None, frozenset[str]]]):
    hub = make_hub()
    for place, (user_id, roles) in enumerate(who):
        connection = tab(hub, user_id, *roles).connection
        hub.registry.remove(connection)
        connection.id = str(place)  # so that the strategy can name it
        hub.registry.add(connection)
    found = [connection.id for connection in hub.registry.resolve(audience)]
    assert sorted(connection.id for connection in hub.registry if hears(connection, audience)) == sorted(found)


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


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "users", "ids": []}',
        '{"kind": "users", "ids": [""]}',
        '{"kind": "roles", "names": ["' + "x" * 129 + '"]}',
        '{"kind": "any_of", "audiences": []}',
        '{"kind": "everybody"}',
        '{"kind": "everyone", "ids": ["ada"]}',
    ],
)
def test_an_audience_of_nobody_or_of_an_unknown_kind_is_refused(text: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Audience)


def test_short_names_for_the_common_audiences():
    assert Users(frozenset({"ada", "bob"})) == audiences.users("ada", "bob")
    assert Roles(frozenset({"admin"})) == audiences.roles("admin")
    assert Connections(frozenset({"c1"})) == audiences.connections("c1")
