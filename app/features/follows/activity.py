"""Tells friends who comes and who goes: behind the events, in batches, so that a thousand who come at once are one query.

Of a user who came and went within the pause only the last is told.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.features.follows import store, view
from app.features.gathering import Gathering
from app.features.services import Services
from app.hub.audience import users
from app.hub.publication import Part, Publication
from app.kernel.identity import User
from app.kernel.ids import new_short_id

PAUSE_S = 0.05
"""Seconds in which comings and goings are gathered into one query and one publication."""


class Move(NamedTuple):
    """A user came or went."""

    user: User
    is_online: bool


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Tell friends while the server runs."""

    async def tell(moves: Mapping[str, Move]) -> None:
        await tell_friends(services, moves)

    moves: Gathering[str, Move] = Gathering("friend activity", tell, pause_s=PAUSE_S)

    def came(user: User) -> None:
        moves.add(user.id, Move(user, is_online=True))

    def went(user: User) -> None:
        moves.add(user.id, Move(user, is_online=False))

    events = services.hub.events
    async with moves.running():
        events.on("user.online", came)
        events.on("user.offline", went)
        try:
            yield
        finally:
            events.off("user.online", came)
            events.off("user.offline", went)


async def tell_friends(services: Services, moves: Mapping[str, Move]) -> None:
    """Tell those who are there, or may be back in a moment: one query and one publication for all moves. Raises Unavailable."""
    async with services.database.reading() as session:
        friends = await store.friends_of_each(session, moves.keys())
    within_reach = services.hub.reach.within
    hearers = {user_id: within_reach(frozenset(friends.get(user_id, ()))) for user_id in moves}
    parts = tuple(
        Part(users(*hearers[user_id]), view.activity(move.user.name, is_online=move.is_online))
        for user_id, move in moves.items()
        if hearers[user_id]
    )
    if parts:
        await services.hub.publish(Publication(new_short_id(), parts))
