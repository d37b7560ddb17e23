"""Stored things for people who are away: they are pushed at the next connect, in order, and marked once they were pushed.

A thing is stored unmarked. When its first push was written to a page, its mark follows a moment later, with others, in one
statement; a crash in between pushes it again, and never loses it. When nobody is there, it waits; whoever connects is looked up,
together with all who connect in the same moment, and gets what waits.

Of a cluster each node marks what its own pages were written, whichever node has pushed it.

A page that comes back reads from the journal what it missed, these things among it. So each is published with its id as a key: who
catches up is shown a thing once, and a look-up leaves out the pages that have been shown it in that way.

What keeps both ways from pushing the same thing twice: an id that is on its way (from before its commit until its push was written)
or waits for its mark is left alone by the look-up, which holds back the writing of marks while it reads.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base
from app.features.gathering import Gathering
from app.features.services import Services
from app.hub.audience import Audience, Except, connections, nobody, users
from app.hub.connection import Connection
from app.hub.publication import Part, Publication
from app.kernel.clock import utc_now
from app.kernel.ids import new_short_id
from app.wire.update import Update

LOOK_UP_PAUSE_S = 0.02
"""Seconds in which connects are gathered into one look-up."""
MARK_PAUSE_S = 0.2
"""Seconds in which marks are gathered into one statement. What was pushed in that time is pushed again after a crash."""
LOOK_AGAIN_S = 0.02
"""Seconds between two looks whether a page has taken what was pushed to it."""
STALLED_S = 0.5
"""Seconds after which a user is looked up again whose pages take nothing more for now."""
MAX_AT_ONCE = 500
"""Things that one look-up reads. More follow in the next one."""
MAX_SHARE_CHARS = 65_536
"""HTML that is pushed in one message: many clients close their connection over a message of a megabyte."""

_BEFORE_ALL = UUID(int=0)


class Waiting(NamedTuple):
    """One stored thing that was never pushed."""

    id: UUID
    user_id: str
    update: Update


class _Pushed(NamedTuple):
    """A thing that is in outboxes."""

    user_id: str
    connections: tuple[Connection, ...]

    @property
    def is_written(self) -> bool:
        """Whether a page has it: the kernel took all that its outbox held, and the page had not said goodbye by then."""
        return any(_is_there(one) and not (one.outbox.scheduled or one.outbox.blocked) for one in self.connections)

    @property
    def is_about_to_be_written(self) -> bool:
        """Whether an outbox that holds it is written at the end of this turn of the loop, or the next ones."""
        return any(one.outbox.scheduled for one in self.connections)

    @property
    def is_lost(self) -> bool:
        """Whether all pages that were to have it have left, or there were none."""
        return not any(map(_is_there, self.connections))


def _is_there(connection: Connection) -> bool:
    """Whether what is written to the page goes there. Its socket says goodbye a moment before the hub hears of it."""
    return not connection.outbox.closed and connection.outbox.sink.is_open


Load = Callable[[AsyncSession, Collection[str], UUID, int], Awaitable[Sequence[Waiting]]]
"""What waits for these users behind this id, oldest first, at most so many."""


class Away:
    """The things of one table."""

    def __init__(self, services: Services, row: type[Base], load: Load, kind: str) -> None:
        """`kind`: what its things are called; a word."""
        self._database = services.database
        self._hub = services.hub
        self._table: Table = row.__table__  # type: ignore[assignment]  # declarative tables are typed as FromClause
        self._load = load
        self._kind = kind
        self._on_the_way: set[UUID] = set()
        self._arrivals: Gathering[str, object] = Gathering("what waits for users", self._push_waiting, pause_s=LOOK_UP_PAUSE_S)
        self._marks: Gathering[UUID, None] = Gathering("delivery marks", self._write_marks, pause_s=MARK_PAUSE_S)
        self._reading = asyncio.Lock()

    def key_of(self, thing: UUID) -> str:
        """The key of each part that shows the thing."""
        return f"{self._kind}-{thing}"

    @contextmanager
    def sending(self, user_of: Mapping[UUID, str]) -> Iterator[None]:
        """Around the commit and the push of things, each to its user: a look-up in between leaves them alone.

        What reached a page is marked afterwards.
        """
        self._on_the_way.update(user_of)
        try:
            yield
        except BaseException:
            self._on_the_way.difference_update(user_of)
            raise
        of_user = self._hub.registry.of_user
        self._look_after({thing: _Pushed(user_id, tuple(of_user(user_id))) for thing, user_id in user_of.items()})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Push what waits to those who connect, while the server runs."""
        self._hub.on_arrival(self._arrived)
        self._hub.on_shown(self._shown)
        try:
            async with self._marks.running(), self._arrivals.running():
                yield
        finally:
            self._hub.on_arrival.remove(self._arrived)
            self._hub.on_shown.remove(self._shown)

    def _arrived(self, connection: Connection) -> None:
        if connection.user is not None:
            self._look_up(connection.user.id)

    def _shown(self, publication: Publication) -> None:
        """Mark what another node has pushed, and pages of this one are written: that node does not see them."""
        pushed: dict[UUID, _Pushed] = {}
        for part in publication.parts:
            kind, _, thing = part.key.partition("-")
            pages = tuple(self._hub.registry.resolve(part.audience)) if kind == self._kind else ()
            if (user := pages[0].user if pages else None) is not None and UUID(thing) not in self._on_the_way:
                pushed[UUID(thing)] = _Pushed(user.id, pages)
        self._on_the_way.update(pushed)
        self._look_after(pushed)

    def _look_up(self, user_id: str) -> None:
        self._arrivals.add(user_id, object())  # each is another: one that comes during a look-up is not done with it

    def _look_after(self, pushed: Mapping[UUID, _Pushed]) -> None:
        """Mark what is written. What waits for a page in our memory is looked at again: it goes when the page does."""
        left: dict[UUID, _Pushed] = {}
        for thing, push in pushed.items():
            if push.is_written:
                self._marks.add(thing, None)
            elif not push.is_lost:
                left[thing] = push
                continue
            elif push.connections:
                self._look_up(push.user_id)  # the user may be back by now, and was looked up too early
            self._on_the_way.discard(thing)
        if left:
            loop = asyncio.get_running_loop()
            if any(push.is_about_to_be_written for push in left.values()):
                loop.call_soon(self._look_after, left)
            else:
                loop.call_later(LOOK_AGAIN_S, self._look_after, left)

    async def _push_waiting(self, arrived: Mapping[str, object]) -> None:
        is_connected = self._hub.registry.is_connected
        after, stalled = _BEFORE_ALL, {user_id for user_id in arrived if is_connected(user_id) and not self._takes_more(user_id)}
        while there := [user_id for user_id in arrived if user_id not in stalled and is_connected(user_id)]:
            async with self._reading:
                # A transaction, though it only reads, and `load` holds what it finds: what others commit is pushed in the order
                # of the commits, and so is this. What is edited or read meanwhile is not pushed as it was before, and counts do
                # not go back.
                async with self._database.transaction() as session:
                    found = await self._load(session, there, after, MAX_AT_ONCE)
                waiting = [one for one in found if one.id not in self._on_the_way and one.id not in self._marks]
                for share in _shares(waiting):
                    await self._push([one for one in share if one.user_id not in stalled])
                    stalled.update(one.user_id for one in share if not self._takes_more(one.user_id))
            if len(found) < MAX_AT_ONCE:
                break
            after = found[-1].id
        for user_id in stalled:
            asyncio.get_running_loop().call_later(STALLED_S, self._look_up, user_id)

    async def _push(self, share: Sequence[Waiting]) -> None:
        if share:
            with self.sending({one.id: one.user_id for one in share}):
                parts = tuple(
                    Part(hearers, one.update, self.key_of(one.id)) for one in share if (hearers := self._hearers_of(one)) != nobody
                )
                if parts:
                    await self._hub.publish(Publication(new_short_id(), parts))
            await asyncio.sleep(0)  # it is written now, and others have their turn

    def _hearers_of(self, waiting: Waiting) -> Audience:
        """All pages of its user, without those that were shown it when they came back."""
        pages = self._hub.registry.of_user(waiting.user_id)
        shown = [page.id for page in pages if self.key_of(waiting.id) in page.caught_up_on]
        if not shown:
            return users(waiting.user_id)
        return Except(users(waiting.user_id), connections(*shown)) if len(shown) < len(pages) else nobody

    def _takes_more(self, user_id: str) -> bool:
        """Whether a page of the user takes what it is sent. What a slow one does not take would close it."""
        return any(not one.outbox.blocked for one in self._hub.registry.of_user(user_id))

    async def _write_marks(self, marks: Mapping[UUID, None]) -> None:
        in_order = sorted(marks)  # the same on all nodes: two that mark the same things do not wait for each other for ever
        rows: list[dict[str, Any]] = [{"marked": thing, "now": utc_now()} for thing in in_order]
        columns = self._table.c
        statement = update(self._table).where(columns.id == bindparam("marked"), columns.delivered_at.is_(None))
        async with self._reading, self._database.transaction() as session:
            await session.execute(statement.values(delivered_at=bindparam("now")), rows)


def _shares(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """The same things, in order, in messages of a size that every client takes; at least one in each."""
    share: list[Waiting] = []
    size = 0
    for one in waiting:
        if share and size + len(one.update.html) > MAX_SHARE_CHARS:
            yield share
            share, size = [], 0
        share.append(one)
        size += len(one.update.html)
    if share:
        yield share
