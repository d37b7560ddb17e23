"""Who is meant: one language for sending, listing and closing. A tagged union on `kind`; it travels in the journal as it is."""

from collections.abc import Collection
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from app.hub.geometry import Latitude, Longitude, Place, RadiusKm, distance_km
from app.kernel.errors import WrongField
from app.kernel.identity import User
from app.kernel.text import NO_NUL

MAX_IDS = 1_000
"""Names in one audience. Each costs a look-up on every node; a longer list wants a role or a room."""
MAX_DEPTH = 8
"""Audiences within audiences. Enough for any sentence that a person can say, and the recursion stays short."""

MAX_AUDIENCES = 32
"""Audiences beside each other in one."""

MAX_PARTS = 64
"""Audiences in one, at whatever depth: each may find everybody. Those that name their users or connections one by one are not
counted, for they find no more than they name; nor are those that combine others."""

MAX_PARTS_IN_BATCH = 256
"""The same of all updates of a batch that the back office sends: each looks at every connection, in one turn of the loop."""

_DEPTH_OF_MANY = 3
"""What `users` makes of up to a million ids: room for those in whose place followers and friends stand."""

Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=NO_NUL)]
Ids = Annotated[frozenset[Id], Meta(min_length=1, max_length=MAX_IDS)]


class Everyone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="everyone"):
    """Every connection, signed in or not."""


class SignedIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="signed_in"):
    """Every connection with a token."""


class Users(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="users"):
    """All connections of these users."""

    ids: Ids


class Rooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rooms"):
    """The connections that are in one of these rooms now."""

    ids: Ids


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="roles"):
    """All connections of users who have one of these roles."""

    names: Ids


class FollowersOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="followers_of"):
    """All connections of the users who follow this one."""

    user_id: Id


class FriendsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="friends_of"):
    """All connections of the friends of this user: they follow each other."""

    user_id: Id


class Near(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="near"):
    """The connections whose page said a place within the circle."""

    latitude: Latitude
    longitude: Longitude
    radius_km: RadiusKm


class Connections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="connections"):
    """Just these connections."""

    ids: Ids


class AnyOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="any_of"):
    """Who is in at least one of these audiences; nobody hears twice."""

    audiences: Annotated[tuple["Audience", ...], Meta(min_length=1, max_length=MAX_AUDIENCES)]

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply, and too many."""
        _check_limits(self, "audiences")


class AllOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="all_of"):
    """Who is in each of these audiences."""

    audiences: Annotated[tuple["Audience", ...], Meta(min_length=1, max_length=MAX_AUDIENCES)]

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply, and too many."""
        _check_limits(self, "audiences")


class Except(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="except"):
    """Who is in `audience` and not in `excluded`."""

    audience: "Audience"
    excluded: "Audience"

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply, and too many."""
        _check_limits(self, "audience")


Audience = Everyone | SignedIn | Users | Rooms | Roles | FollowersOf | FriendsOf | Near | Connections | AnyOf | AllOf | Except

everyone = Everyone()
signed_in = SignedIn()
nobody = Connections(frozenset({"-"}))
"""An audience without members: no connection has this id."""


class Unsettled(ValueError):
    """Who follows whom stands in the database: `await wsx.find(audience)`, or publish to it; only the hub can settle it."""


def users(*ids: str) -> Audience:
    """All connections of these users, however many; of none: nobody."""
    if len(ids) <= MAX_IDS:
        return Users(frozenset(ids)) if ids else nobody
    share = max(MAX_IDS, -(-len(ids) // MAX_AUDIENCES))
    return AnyOf(tuple(users(*ids[start : start + share]) for start in range(0, len(ids), share)))


def rooms(*ids: str) -> Audience:
    """The connections in these rooms; in none: nobody."""
    return Rooms(frozenset(ids)) if ids else nobody


def followers_of(user_id: str) -> Audience:
    """All connections of the users who follow this one."""
    return FollowersOf(user_id)


def friends_of(user_id: str) -> Audience:
    """All connections of the friends of this user."""
    return FriendsOf(user_id)


def near(latitude: float, longitude: float, radius_km: float) -> Audience:
    """The connections within so many kilometres. Raises ValueError for a place that is not on the globe."""
    return msgspec.convert({"latitude": latitude, "longitude": longitude, "radius_km": radius_km, "kind": "near"}, Near)


def roles(*names: str) -> Audience:
    """All connections of users who have one of these roles; of none: nobody."""
    return Roles(frozenset(names)) if names else nobody


def connections(*ids: str) -> Audience:
    """Just these connections; of none: nobody."""
    return Connections(frozenset(ids)) if ids else nobody


def any_of(*audiences: Audience) -> Audience:
    """Who is in at least one of these; of none: nobody."""
    return AnyOf(audiences) if audiences else nobody


def all_of(*audiences: Audience) -> Audience:
    """Who is in each of these; of none: nobody, for it was meant to narrow."""
    return AllOf(audiences) if audiences else nobody


def except_(audience: Audience, excluded: Audience) -> Audience:
    """Who is in the first and not in the second."""
    return Except(audience, excluded)


class Hearer(Protocol):
    """What of a connection decides whether it hears."""

    @property
    def id(self) -> str:
        """The connection's id."""

    @property
    def user(self) -> User | None:
        """Who it is."""

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that it is in."""

    @property
    def place(self) -> Place | None:
        """Where it is, if its page said so."""


def hears(hearer: Hearer, audience: Audience) -> bool:  # noqa: C901 - one case for each kind of audience
    """Whether this one connection is in the audience. The same answer as the registry's look-up, without an index.

    Raises Unsettled.
    """
    user = hearer.user
    match audience:
        case Everyone():
            return True
        case SignedIn():
            return user is not None
        case Users(ids):
            return user is not None and user.id in ids
        case Rooms(ids):
            return not ids.isdisjoint(hearer.rooms)
        case Roles(names):
            return user is not None and not names.isdisjoint(user.roles)
        case Near(latitude, longitude, radius_km):
            return hearer.place is not None and distance_km(latitude, longitude, hearer.place) <= radius_km
        case Connections(ids):
            return hearer.id in ids
        case FollowersOf() | FriendsOf():
            raise Unsettled(Unsettled.__doc__)
        case AnyOf(audiences):
            return any(hears(hearer, one) for one in audiences)
        case AllOf(audiences):
            return all(hears(hearer, one) for one in audiences)
        case Except(included, excluded):
            return hears(hearer, included) and not hears(hearer, excluded)


def assuming(audience: Audience, *, is_near: bool) -> Audience:
    """The audience for somebody of whom nobody knows where they are: with everyone or nobody in place of who is near.

    Whoever hears with `is_near` and not without it may hear or not. What is excepted is taken the other way around.
    """
    match audience:
        case Near():
            return everyone if is_near else nobody
        case AnyOf(audiences):
            return AnyOf(tuple(assuming(one, is_near=is_near) for one in audiences))
        case AllOf(audiences):
            return AllOf(tuple(assuming(one, is_near=is_near) for one in audiences))
        case Except(included, excluded):
            return Except(assuming(included, is_near=is_near), assuming(excluded, is_near=not is_near))
        case _:
            return audience


def _depth(audience: Audience) -> int:
    match audience:
        case AnyOf(audiences) | AllOf(audiences):
            return 1 + max(map(_depth, audiences))
        case Except(included, excluded):
            return 1 + max(_depth(included), _depth(excluded))
        case FollowersOf() | FriendsOf():
            return _DEPTH_OF_MANY
        case _:
            return 1


def parts_of(audience: Audience) -> int:
    """How many audiences it holds that may find everybody."""
    match audience:
        case AnyOf(audiences) | AllOf(audiences):
            return sum(map(parts_of, audiences))
        case Except(included, excluded):
            return parts_of(included) + parts_of(excluded)
        case Users() | Connections():
            return 0
        case _:
            return 1


def _check_limits(audience: Audience, field: str) -> None:
    if parts_of(audience) > MAX_PARTS:
        message = f"holds more than {MAX_PARTS} audiences beside those of users and connections; a role or a room says it in one"
        raise WrongField(field, message)
    if _depth(audience) > MAX_DEPTH:
        raise WrongField(field, f"audiences are nested more than {MAX_DEPTH} deep; say it more simply")
