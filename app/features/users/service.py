"""Use cases: who can be addressed, who is there, and what each user is told of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.features.services import Services
from app.features.users import store, view
from app.hub.audience import signed_in, users
from app.hub.hub import Hub
from app.hub.publication import Part, Publication
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound
from app.kernel.identity import User
from app.kernel.ids import new_short_id
from app.wire.update import Update

LINES_AT_ONCE = 200
"""Own lines in one publication: they hold the loop for about 10 ms, then others have their turn."""

LINES_LOOKED_UP = 1_000
"""Users whose lines are looked up at once."""

MAX_ASKED_FOR = 4
"""Users of whom this node asks the others at once. Where one does not answer each takes 2 s, and the back office asks, too."""

Done = TypeVar("Done")


class Presence(NamedTuple):
    """Whether somebody is there."""

    is_online: bool
    connections: int
    last_seen_at: datetime | None
    """None: never seen."""


class Sent(NamedTuple):
    """What became of updates to users."""

    id: str
    matched: int
    """Connections on this node."""
    queued: int
    users: int
    """Users with a connection, on whatever node."""

    def and_then(self, more: "Sent") -> "Sent":
        """This, and others."""
        return Sent(self.id, self.matched + more.matched, self.queued + more.queued, self.users + more.users)


async def addressed(session: AsyncSession, hub: Hub, user_id: str) -> str:
    """The name of a user whom another user may address: one with a row, or one who is connected and gets a row now.

    Raises NotFound for somebody nobody here heard of: call it inside of `addressing`.
    """
    user = connected_user(hub, user_id)
    if user is not None:
        await store.ensure_signed_in(session, [user])
        return user.name
    return (await store.find(session, user_id)).name


class Strangers:
    """Questions to other nodes about users whom nobody here heard of."""

    def __init__(self, _services: Services) -> None:
        self.slots = asyncio.Semaphore(MAX_ASKED_FOR)


async def addressing(services: Services, user_id: str, act: Callable[[], Awaitable[Done]]) -> Done:
    """Do what one user does to another, whom it finds by `addressed` in a transaction of its own.

    Somebody who has just connected to another node has no row for a moment. So where nobody here heard of the user, other nodes are
    asked, and it is done anew when one has. Nodes that do not answer know nobody, nor does anybody while too many are asked for.
    Raises what `act` raises.
    """
    slots = services.of(Strangers).slots
    try:
        return await act()
    except NotFound:
        if slots.locked():
            raise
        async with slots:
            found = await services.everywhere.connections(users(user_id), limit=1)
        if not found.items:
            raise
    user = User(user_id, found.items[0].user_name or user_id, frozenset(found.items[0].roles))
    async with services.database.transaction() as session:
        await store.ensure_signed_in(session, [user])
    return await act()


def connected_user(hub: Hub, user_id: str) -> User | None:
    """The user as the newest token says it; None: the user is not connected here."""
    newest = max(hub.registry.of_user(user_id), key=lambda connection: connection.connected_at, default=None)
    return newest.user if newest is not None else None


async def presence(services: Services, user_id: str) -> Presence:
    """Whether the user is there, and when they were last. Raises NotFound for somebody nobody heard of."""
    hub = services.hub
    connections = len(hub.registry.of_user(user_id)) + hub.roster.connections_elsewhere(user_id)
    is_online = hub.presence.is_online(user_id)
    if connections:
        return Presence(is_online, connections, utc_now())
    absent_since = hub.presence.absent_since(user_id)
    if absent_since is not None:
        return Presence(is_online, 0, absent_since)
    async with services.database.reading() as session:
        return Presence(is_online, 0, (await store.find(session, user_id)).last_connected_at)


async def disconnect(services: Services, user_id: str, reason: str) -> int:
    """Close the connections of a user, on all nodes. Returns how many were closed.

    Raises NotFound for somebody nobody heard of, Incomplete when a node did not answer.
    """
    closed = await services.everywhere.close(users(user_id), reason)
    if not closed:
        async with services.database.reading() as session:
            await store.find(session, user_id)
    return closed


async def send_updates(services: Services, updates: Sequence[tuple[str, Update]]) -> Sent:
    """Send each of these users an update of their own, as one publication."""
    reached = await services.everywhere.count(users(*{user_id for user_id, _ in updates}))
    return await _send(services.hub, updates, reached.users)


async def send_own_lines(services: Services) -> Sent:
    """Send every connected user a line with their own name and status. One query for each `LINES_LOOKED_UP`.

    They are sent in shares of `LINES_AT_ONCE`; the id is the first one's.
    """
    sent, after = None, ""
    while sent is None or after:
        found = await services.everywhere.users(signed_in, after=after, limit=LINES_LOOKED_UP)
        after = found.items[-1].id if found.has_more else ""
        names = {one.id: one.name for one in found.items}
        async with services.database.reading() as session:
            known = await store.names_and_statuses(session, names)
        lines = [(user_id, *known.get(user_id, (name, ""))) for user_id, name in names.items()]
        for start in range(0, max(len(lines), 1), LINES_AT_ONCE):
            more = await _send_share(services.hub, lines[start : start + LINES_AT_ONCE])
            sent = more if sent is None else sent.and_then(more)
            await asyncio.sleep(0)
    return sent


async def _send_share(hub: Hub, lines: Sequence[tuple[str, str, str]]) -> Sent:
    return await _send(hub, [(user_id, view.own_line(name, status)) for user_id, name, status in lines], len(lines))


async def _send(hub: Hub, updates: Sequence[tuple[str, Update]], reached: int) -> Sent:
    parts = tuple(Part(users(user_id), update) for user_id, update in updates)
    receipt = await hub.publish(Publication(new_short_id(), parts))
    return Sent(receipt.id, receipt.matched, receipt.queued, reached)
