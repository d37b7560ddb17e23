"""Stored things for people who are away: they are pushed at the next connect, in order, and marked once they were pushed.

A thing is stored unmarked. When its push was written to a page, its mark follows a moment later, with others, in one statement; a
crash in between pushes it again, and never loses it. When nobody is there, it waits; whoever connects is looked up, together with
all who connect in the same moment, and gets what waits.

Each push says what things it shows, and every node hears that when it delivers the push to its own pages, whoever made it. So:

- the node that wrote it to a page marks it;
- a thing is shown once, though two pushes of it may be on their way: its first one and that of a look-up, or look-ups of two nodes.
  A node knows what it has pushed a moment ago, and a page that came back knows what it read in the journal;
- a look-up leaves out what was pushed here and waits for its mark, and, for a moment, what another node may be about to mark.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base, table_of
from app.features.gathering import Gathering
from app.features.marking import marking
from app.features.services import Services
from app.features.telling import tell
from app.hub.audience import connections, nobody, users
from app.hub.connection import Connection
from app.hub.publication import News, Part, Publication
from app.kernel.clock import monotonic
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
ELSEWHERE_S = 1.0
"""Seconds in which another node has marked what it pushed to a page of its own; until then it is left alone, and then looked up."""
PUSHED_S = 30.0
"""Seconds for which it is known that a thing was pushed: a second push of it is at most some seconds behind the first."""
MAX_REMEMBERED = 20_000
"""Things of which that is known, the newest: some 4 MiB."""
MAX_AT_ONCE = 500
"""Things that one look-up reads. More follow in the next one."""
MAX_SHARE_CHARS = 65_536
"""HTML that is pushed in one message: many clients close their connection over a message of a megabyte."""

_BEFORE_ALL = UUID(int=0)
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode = msgspec.msgpack.Decoder(list[tuple[UUID, str]]).decode


class Waiting(NamedTuple):
    """One stored thing that was never pushed."""

    id: UUID
    user_id: str
    update: Update
    told: Callable[[], object]
    """To be called when it was pushed."""


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
        """Whether all pages that were to have it have left."""
        return not any(map(_is_there, self.connections))


def _is_there(connection: Connection) -> bool:
    """Whether what is written to the page goes there. Its socket says goodbye a moment before the hub hears of it."""
    return not connection.outbox.closed and connection.outbox.sink.is_open


class _Lately:
    """Which publications have pushed what, a moment ago. Looked through when more comes: no timers."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._pushes: OrderedDict[UUID, tuple[str, float]] = OrderedDict()

    def put(self, thing: UUID, publication_id: str) -> None:
        """This one has, now."""
        now = monotonic()
        self._pushes[thing] = publication_id, now
        self._pushes.move_to_end(thing)
        while len(self._pushes) > MAX_REMEMBERED or next(iter(self._pushes.values()))[1] < now - self._within_s:
            self._pushes.popitem(last=False)

    def forget(self, thing: UUID) -> None:
        """None has, after all."""
        self._pushes.pop(thing, None)

    def get(self, thing: UUID, default: str) -> str:
        """The id of the last publication that has pushed it; the default, where none did."""
        publication_id, at = self._pushes.get(thing, (default, 0.0))
        return publication_id if monotonic() - at < self._within_s else default

    def __contains__(self, thing: UUID) -> bool:
        """Whether one has."""
        return bool(self.get(thing, ""))


Load = Callable[[AsyncSession, Collection[str], UUID, int], Awaitable[Sequence[Waiting]]]
"""What waits for these users behind this id, oldest first, at most so many."""


class Away:
    """The things of one table."""

    def __init__(self, services: Services, row: type[Base], load: Load) -> None:
        self._database = services.database
        self._hub = services.hub
        self._table = table_of(row)
        self._kind = f"away.{self._table.name}"
        self._load = load
        self._on_the_way: set[UUID] = set()
        """Pushed here, and not written to a page yet."""
        self._pushed = _Lately(PUSHED_S)
        """Pushed here to pages that are live."""
        self._elsewhere = _Lately(ELSEWHERE_S)
        """Pushed, and nobody was here, but its user may have been on another node."""
        self._arrivals: Gathering[str, object] = Gathering("what waits for users", self._push_waiting, pause_s=LOOK_UP_PAUSE_S)
        self._marks: Gathering[UUID, None] = Gathering("delivery marks", self._write_marks, pause_s=MARK_PAUSE_S)
        self._marking = marking(self._table)
        self._reading = asyncio.Lock()

    def news(self, user_of: Iterable[tuple[UUID, str]]) -> News:
        """Of a publication whose parts show these things, one each, in this order, each to its user."""
        return News(self._kind, _encode(list(user_of)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Push what waits to those who connect, and mark what was pushed, while the server runs."""
        self._hub.on_arrival(self._arrived)
        self._hub.news.on(self._kind, before=self._not_again, after=self._delivered)
        try:
            async with self._marks.running(), self._arrivals.running():
                yield
        finally:
            self._hub.news.off(self._kind)
            self._hub.on_arrival.remove(self._arrived)

    def _not_again(self, publication: Publication) -> Publication:
        """What is told to pages here: without what they were shown, by another push or when they came back."""
        parts = [
            self._part(publication, thing, part) if part.key else part
            for (thing, _), part in zip(_things_of(publication), publication.parts, strict=True)
        ]
        return replace(publication, parts=tuple(parts))

    def _part(self, publication: Publication, thing: UUID, part: Part) -> Part:
        if self._pushed.get(thing, publication.id) != publication.id:  # also for those who came since: it was pushed, and is marked
            return replace(part, audience=nobody)
        pages = self._hub.registry.resolve(part.audience)
        new = [page for page in pages if part.key not in page.caught_up_on]
        if any(page.outbox.catch_up is None for page in new):  # one that catches up reads it in the journal
            self._pushed.put(thing, publication.id)
        return part if len(new) == len(pages) else replace(part, audience=connections(*(page.id for page in new)))

    def _delivered(self, publication: Publication) -> None:
        """Look after what was pushed to pages here."""
        roster, pushed = self._hub.roster, dict[UUID, _Pushed]()
        for (thing, user_id), part in zip(_things_of(publication), publication.parts, strict=True):
            if pages := tuple(self._hub.registry.resolve(part.audience)):
                pushed[thing] = _Pushed(user_id, pages)
            elif roster.may_be_elsewhere({user_id}) or roster.is_online_elsewhere(user_id):  # who moves may be there already
                self._elsewhere.put(thing, publication.id)
        self._on_the_way.update(pushed)
        self._look_after(pushed)

    def _arrived(self, connection: Connection) -> None:
        if connection.user is not None:
            self._look_up(connection.user.id)

    def _look_up(self, user_id: str) -> None:
        self._arrivals.add(user_id, object())  # each is another: one that comes during a look-up is not done with it

    def _look_after(self, pushed: Mapping[UUID, _Pushed]) -> None:
        """Mark what is written. What waits for a page in our memory is looked at again: it goes when the page does."""
        left: dict[UUID, _Pushed] = {}
        for thing, push in pushed.items():
            if push.is_written:
                self._marks.add(thing, None)
            elif push.is_lost:
                self._pushed.forget(thing)
                self._look_up(push.user_id)  # the user may be back by now, and was looked up too early
            else:
                left[thing] = push
                continue
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
        elsewhere: set[str] = set()
        while there := [user_id for user_id in arrived if user_id not in stalled and is_connected(user_id)]:
            async with self._reading:
                # A transaction, though it only reads, and `load` holds what it finds: what others commit is pushed in the order
                # of the commits, and so is this. What is edited or read meanwhile is not pushed as it was before, and counts do
                # not go back.
                async with self._database.transaction() as session:
                    found = await self._load(session, there, after, MAX_AT_ONCE)
                others = {one.id: one.user_id for one in found if one.id in self._elsewhere}
                elsewhere.update(others.values())
                left_alone = self._on_the_way | others.keys()
                for share in _shares([one for one in found if one.id not in left_alone and one.id not in self._marks]):
                    await self._push([one for one in share if one.user_id not in stalled])
                    stalled.update(one.user_id for one in share if not self._takes_more(one.user_id))
            if len(found) < MAX_AT_ONCE:
                break
            after = found[-1].id
        self._look_up_later(stalled, STALLED_S)
        self._look_up_later(elsewhere, ELSEWHERE_S)

    def _look_up_later(self, user_ids: Iterable[str], in_s: float) -> None:
        for user_id in user_ids:
            asyncio.get_running_loop().call_later(in_s, self._look_up, user_id)

    async def _push(self, share: Sequence[Waiting]) -> None:
        if share:
            parts = tuple(Part(users(one.user_id), one.update, str(one.id)) for one in share)
            news = self.news((one.id, one.user_id) for one in share)
            await tell(self._hub, Publication(new_short_id(), parts, news=news), "what waited for users")
            for one in share:
                one.told()
            await asyncio.sleep(0)  # it is written now, and others have their turn

    def _takes_more(self, user_id: str) -> bool:
        """Whether a page of the user takes what it is sent. What a slow one does not take would close it."""
        return any(not one.outbox.blocked for one in self._hub.registry.of_user(user_id))

    async def _write_marks(self, marks: Mapping[UUID, None]) -> None:
        async with self._reading:
            await self._database.write(self._marking, marks, rows=len(marks))


def _things_of(publication: Publication) -> Sequence[tuple[UUID, str]]:
    """What its parts show, and whose that is, in their order."""
    return _decode(publication.news.about) if publication.news is not None else ()


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
