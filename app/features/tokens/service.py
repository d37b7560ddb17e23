"""Use cases: a token or a ticket for somebody's page, and the end of all that somebody has."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from app.features.services import Services
from app.features.tokens import store
from app.kernel.clock import utc_now
from app.kernel.identity import User


class Who(NamedTuple):
    """For whom it is, as others will see them."""

    user_id: str
    name: str
    roles: Iterable[str]


class Made(NamedTuple):
    """A token or a ticket, and when what it gives ends."""

    text: str
    expires_at: datetime


def make_token(services: Services, who: Who, ttl: timedelta) -> Made:
    """A connection token. Raises NoSigningKey where the site alone can make tokens."""
    text = services.tokens.issue(who.user_id, name=who.name, roles=who.roles, ttl=ttl)
    return Made(text, utc_now() + ttl)


async def make_ticket(services: Services, who: Who, ttl: timedelta) -> Made:
    """A ticket for one handshake; its connection ends after `ttl`. Raises Unavailable."""
    now = utc_now()
    user = User(who.user_id, who.name or who.user_id, frozenset(who.roles), now + ttl, now)
    return Made(await services.tickets.issue(user), now + ttl)


async def revoke(services: Services, user_id: str, reason: str) -> int:
    """Revoke the tokens that the user has now, and close the user's connections, on all nodes. How many were closed.

    Raises Incomplete when a node did not answer: it is stored then, and that node will see it.
    """
    until = utc_now()
    async with services.database.transaction() as session:
        await store.revoke(session, user_id, until)
    services.tokens.revocations.note(user_id, until)
    return await services.everywhere.revoke(user_id, until, reason)
