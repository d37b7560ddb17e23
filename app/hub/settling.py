"""Audiences that stand in the database: who follows whom is looked up once, when something is published to them.

The journal then carries the users themselves, so every node delivers to the same people, and whoever stops following a moment later
has still heard what was said before.
"""

from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from typing import Protocol

from app.hub.audience import AllOf, AnyOf, Audience, Except, FollowersOf, FriendsOf, Users, any_of, nobody, users

Reach = Callable[[AbstractSet[str]], AbstractSet[str]]
"""Those of the users who may hear what is published now."""


class Follows(Protocol):
    """Who follows whom."""

    async def followers_of(self, user_id: str) -> Collection[str]:
        """Ids of the users who follow this one. Raises Unavailable."""

    async def friends_of(self, user_id: str) -> Collection[str]:
        """Ids of the users who follow this one and are followed back. Raises Unavailable."""


class NoFollows:
    """A hub without a database: nobody follows anybody."""

    async def followers_of(self, _user_id: str) -> Collection[str]:
        """Nobody."""
        return ()

    async def friends_of(self, _user_id: str) -> Collection[str]:
        """Nobody."""
        return ()


def is_settled(audience: Audience) -> bool:
    """Whether the registry can resolve it as it is."""
    match audience:
        case FollowersOf() | FriendsOf():
            return False
        case AnyOf(audiences) | AllOf(audiences):
            return all(map(is_settled, audiences))
        case Except(included, excluded):
            return is_settled(included) and is_settled(excluded)
        case _:
            return True


async def settled(audience: Audience, follows: Follows, within_reach: Reach) -> Audience:
    """The audience with users in place of what must be looked up. Users who are out of reach are left out: they cannot hear."""
    match audience:
        case FollowersOf(user_id):
            return users(*within_reach(frozenset(await follows.followers_of(user_id))))
        case FriendsOf(user_id):
            return users(*within_reach(frozenset(await follows.friends_of(user_id))))
        case AnyOf(audiences):
            return AnyOf(tuple([await settled(one, follows, within_reach) for one in audiences]))
        case AllOf(audiences):
            return AllOf(tuple([await settled(one, follows, within_reach) for one in audiences]))
        case Except(included, excluded):
            return Except(await settled(included, follows, within_reach), await settled(excluded, follows, within_reach))
        case _:
            return audience


def without_absent(audience: Audience, within_reach: Reach) -> Audience:
    """The same audience without the users who are out of reach: the same hear it now, and far less travels."""
    match audience:
        case Users(ids):
            return users(*within_reach(ids))
        case AnyOf(audiences):
            return any_of(*[found for one in audiences if (found := without_absent(one, within_reach)) != nobody])
        case AllOf(audiences):
            return AllOf(tuple([without_absent(one, within_reach) for one in audiences]))
        case Except(included, excluded):
            return Except(without_absent(included, within_reach), without_absent(excluded, within_reach))
        case _:
            return audience
