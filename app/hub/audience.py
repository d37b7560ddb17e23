"""Who is meant: one language for sending, listing and closing. A tagged union on `kind`; it travels in the journal as it is."""

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from app.kernel.errors import WrongField
from app.kernel.identity import User
from app.kernel.text import NO_NUL

MAX_IDS = 1_000
"""Names in one audience. Each costs a look-up on every node; a longer list wants a role or a room."""
MAX_DEPTH = 8
"""Audiences within audiences. Enough for any sentence that a person can say, and the recursion stays short."""

Ids = Annotated[
    frozenset[Annotated[str, Meta(min_length=1, max_length=128, pattern=NO_NUL)]], Meta(min_length=1, max_length=MAX_IDS)
]


class Everyone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="everyone"):
    """Every connection, signed in or not."""


class SignedIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="signed_in"):
    """Every connection with a token."""


class Users(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="users"):
    """All connections of these users."""

    ids: Ids


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="roles"):
    """All connections of users who have one of these roles."""

    names: Ids


class Connections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="connections"):
    """Just these connections."""

    ids: Ids


class AnyOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="any_of"):
    """Who is in at least one of these audiences; nobody hears twice."""

    audiences: Annotated[tuple["Audience", ...], Meta(min_length=1, max_length=32)]

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply."""
        _check_depth(self, "audiences")


class AllOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="all_of"):
    """Who is in each of these audiences."""

    audiences: Annotated[tuple["Audience", ...], Meta(min_length=1, max_length=32)]

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply."""
        _check_depth(self, "audiences")


class Except(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="except"):
    """Who is in `audience` and not in `excluded`."""

    audience: "Audience"
    excluded: "Audience"

    def __post_init__(self) -> None:
        """Refuse what is nested too deeply."""
        _check_depth(self, "audience")


Audience = Everyone | SignedIn | Users | Roles | Connections | AnyOf | AllOf | Except

everyone = Everyone()
signed_in = SignedIn()
nobody = Connections(frozenset({"-"}))
"""An audience without members: no connection has this id."""


def users(*ids: str) -> Audience:
    """All connections of these users; of none: nobody."""
    return Users(frozenset(ids)) if ids else nobody


def roles(*names: str) -> Audience:
    """All connections of users who have one of these roles; of none: nobody."""
    return Roles(frozenset(names)) if names else nobody


def connections(*ids: str) -> Audience:
    """Just these connections; of none: nobody."""
    return Connections(frozenset(ids)) if ids else nobody


class Hearer(Protocol):
    """What of a connection decides whether it hears."""

    @property
    def id(self) -> str:
        """The connection's id."""

    @property
    def user(self) -> User | None:
        """Who it is."""


def hears(hearer: Hearer, audience: Audience) -> bool:
    """Whether this one connection is in the audience. The same answer as the registry's look-up, without an index."""
    user = hearer.user
    match audience:
        case Everyone():
            return True
        case SignedIn():
            return user is not None
        case Users(ids):
            return user is not None and user.id in ids
        case Roles(names):
            return user is not None and not names.isdisjoint(user.roles)
        case Connections(ids):
            return hearer.id in ids
        case AnyOf(audiences):
            return any(hears(hearer, one) for one in audiences)
        case AllOf(audiences):
            return all(hears(hearer, one) for one in audiences)
        case Except(included, excluded):
            return hears(hearer, included) and not hears(hearer, excluded)


def _depth(audience: Audience) -> int:
    match audience:
        case AnyOf(audiences) | AllOf(audiences):
            return 1 + max(map(_depth, audiences))
        case Except(included, excluded):
            return 1 + max(_depth(included), _depth(excluded))
        case _:
            return 1


def _check_depth(audience: Audience, field: str) -> None:
    if _depth(audience) > MAX_DEPTH:
        raise WrongField(field, f"audiences are nested more than {MAX_DEPTH} deep; say it more simply")
