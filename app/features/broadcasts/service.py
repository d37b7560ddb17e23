"""Use cases: broadcasts that go out at a steady pace, and broadcasts that pages ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from app.features.broadcasts import view
from app.features.services import Services
from app.hub.audience import everyone, roles
from app.hub.paced import MAX_WAITING, QueueFull
from app.hub.publication import Part, Publication, Receipt
from app.kernel.errors import Refused
from app.kernel.identity import ADMIN_ROLE, User
from app.kernel.ids import new_short_id

QUEUED_PER_S: Final = 10.0
"""Broadcasts of the back office a second that were given with `"pace": "queued"`: what a person at a page can still follow."""
LIVE_FEED_PER_S: Final = 5.0
"""Updates a second in the live feed, whoever sends them: a crowd that sends at once must not flood everybody's page."""


class Queues:
    """The paced queues of one application."""

    def __init__(self, services: Services) -> None:
        hub = services.hub
        self.broadcasts = hub.paced("broadcasts", max_per_s=QUEUED_PER_S, max_waiting=MAX_WAITING)
        self.live_feed = hub.paced("live-feed", max_per_s=LIVE_FEED_PER_S, max_waiting=MAX_WAITING)


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Have the queues from the start: their numbers are zeros then, not missing."""
    services.of(Queues)
    yield


def queue(services: Services, publication: Publication) -> int:
    """Let a publication wait for its turn. Returns how many go before it. Raises QueueFull, ValueError for what is over a limit."""
    waiting = services.of(Queues).broadcasts
    return waiting.place_of(waiting.put(publication)) or 0


def queue_update_from(services: Services, user: User) -> None:
    """Let a user's sign of life wait for its turn in everyone's live feed. Raises Refused when the queue is full."""
    try:
        services.of(Queues).live_feed.publish(everyone, view.update_from(user))
    except QueueFull as error:
        raise Refused("Too many updates are waiting. Please try again in a moment.", code=error.code) from None


async def mass_update(services: Services) -> Receipt:
    """Tell everyone, and admins something more: one batch for each connection."""
    parts = Part(everyone, view.initiated()), Part(roles(ADMIN_ROLE), view.notified())
    return await services.hub.publish(Publication(new_short_id(), parts, is_batch=True))
