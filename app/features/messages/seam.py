"""Where what was said before meets what is said from now on: nothing missing, and nothing twice.

A page that joins a room is put into it first, then the last messages are read, which takes a moment. What is delivered in that
moment the page gets as it is; and then the list, which takes the place of all that. So:

- the list holds what was delivered meanwhile, too, as it is by now;
- what was read, and is yet to be delivered here, would come behind the list once more. It is on its way, from whatever node, and is
  waited for. What does not come in time is shown, and is kept from the page should it come after all.

Each node hears of all nodes' messages by the journal, in the turn in which they are delivered to its own pages.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import islice
from uuid import UUID

from markupsafe import Markup
from msgspec.structs import replace

from app.features.messages import view
from app.features.messages.model import NEWS, Told, read_told
from app.features.messages.pushing import Looks
from app.features.services import Services
from app.hub.audience import connections, except_
from app.hub.publication import Publication
from app.kernel.ids import new_id

Shown = tuple[UUID, Markup]

SHOWN_ON_JOINING = 50
"""Messages that a page is shown which joins a room."""
MAX_HISTORY_BYTES = 64 * 1024
"""HTML of the messages that a page is shown which joins a room. They travel as one message: clients that take small ones only must
be able to join, and to make and write megabytes for each page that joins would hold the loop."""
MAX_REMEMBERED = 20_000
"""Messages that are known to have been delivered here, the newest: some 4 MiB. More than can be on their way at once."""
WAIT_S = 0.1
"""Seconds that a page which joins waits for what is on its way: some milliseconds, unless a node or Redis is in trouble. Then all
who join wait so long, and what is said meanwhile pushes older messages off the list that they are shown."""
MAX_EARLY = 1_000
"""Messages that are remembered because they were changed before they were said here: very few are, and most of them at once."""
LATE_S = 30.0
"""Seconds after which what did not come in time is not looked out for any more: the journal has refused it by then."""

_BETWEEN = Markup("\n")


class Joining:
    """One page on its way into a room: what became of the room's messages since it is in the registry."""

    def __init__(self, page_id: str) -> None:
        self.page_id = page_id
        self.said: dict[UUID, Markup] = {}
        """New messages, in order."""
        self.changed: dict[UUID, Markup | None] = {}
        """How a message looks now, be it on the list or too old for it; None: it was removed."""
        self._awaited: set[UUID] = set()
        self._have_come = asyncio.Event()

    def hear(self, told: Told, shown: Markup) -> None:
        """Something became of a message."""
        if told.happened == "said":
            self.said[told.id] = shown
            self._awaited.discard(told.id)
            if not self._awaited:
                self._have_come.set()
        else:
            self.changed[told.id] = shown if told.happened == "edited" else None

    async def until_said(self, messages: Collection[UUID]) -> None:
        """Return when all of these were said, but no later than `WAIT_S`."""
        self._awaited = {one for one in messages if one not in self.said}
        if self._awaited:
            self._have_come.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    await self._have_come.wait()


class Seam:
    """What was delivered here, and the pages that join, by room."""

    def __init__(self, services: Services) -> None:
        self._hub = services.hub
        self._looks = services.of(Looks)
        self._delivered: OrderedDict[UUID, None] = OrderedDict()
        """The newest last."""
        self._known_from = new_id()
        """Of what is older it is not known whether it was delivered here."""
        self._early: OrderedDict[UUID, None] = OrderedDict()
        """Changed, and not said here yet."""
        self._late: dict[UUID, set[str]] = {}
        """Not delivered in time, with the pages that have it on their lists."""
        self._joining: dict[str, list[Joining]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow what is said, while the server runs."""
        self._hub.news.on(NEWS, before=self.heard)
        self._hub.on_lost(self._has_lost)
        try:
            yield
        finally:
            self._hub.on_lost.remove(self._has_lost)
            self._hub.news.off(NEWS)

    def heard(self, publication: Publication) -> Publication:
        """Note what a publication says. Returns what pages are told: those that have it on their lists already are not."""
        told = read_told(publication.news.about if publication.news is not None else b"")
        if (there := self._joining.get(told.room_id)) is not None:
            shown = view.item_in(publication.parts[0].update)
            for joining in there:
                joining.hear(told, shown)
        if told.happened != "said":
            if self._is_on_its_way(told.id):
                self._changed_early(told.id)
            return publication
        self._note(told.id)
        if told.id in self._early:
            del self._early[told.id]
            self._looks.told_late(told.id, told.room_id)
        if (pages := self._late.pop(told.id, None)) is None:
            return publication
        (part,) = publication.parts
        return replace(publication, parts=(replace(part, audience=except_(part.audience, connections(*pages))),))

    @contextmanager
    def joining(self, room_id: str, page_id: str) -> Iterator[Joining]:
        """Around the time from the moment when a page is in the room until its list is made. `page_id`: of its connection."""
        joining = Joining(page_id)
        self._joining.setdefault(room_id, []).append(joining)
        try:
            yield joining
        finally:
            self._joining[room_id].remove(joining)
            if not self._joining[room_id]:
                del self._joining[room_id]

    async def until_delivered(self, before: Sequence[Shown], joining: Joining) -> None:
        """Return when all that was read has been delivered here, or does not come in time."""
        await joining.until_said([one for one, _ in before if self._is_on_its_way(one) and one not in self._late])

    def joined(self, before: Iterable[Shown], joining: Joining) -> Markup:
        """The list: what was read, as it is by now, and as much of it as a page is shown.

        Put it into the page's outbox without waiting for anything in between.
        """
        listed = sorted((dict(before) | joining.said).items(), reverse=True)
        newest_first = ((message_id, joining.changed.get(message_id, html)) for message_id, html in listed)
        shown = newest_that_fit((message_id, html) for message_id, html in newest_first if html is not None)
        for message_id, _ in shown:
            if self._is_on_its_way(message_id):
                self._keep_from(joining.page_id, message_id)
        return _BETWEEN.join(html for _, html in shown)

    def _note(self, message_id: UUID) -> None:
        self._delivered[message_id] = None
        if len(self._delivered) > MAX_REMEMBERED:
            forgotten, _ = self._delivered.popitem(last=False)
            self._known_from = max(self._known_from, forgotten)

    def _changed_early(self, message_id: UUID) -> None:
        self._early[message_id] = None
        if len(self._early) > MAX_EARLY:
            self._early.popitem(last=False)

    def _is_on_its_way(self, message_id: UUID) -> bool:
        return message_id > self._known_from and message_id not in self._delivered

    def _keep_from(self, page_id: str, message_id: UUID) -> None:
        """It must not come to this page any more."""
        if message_id not in self._late:
            self._late[message_id] = set()
            asyncio.get_running_loop().call_later(LATE_S, self._give_up, message_id)
        self._late[message_id].add(page_id)

    def _give_up(self, message_id: UUID) -> None:
        """It will not come any more: nobody else waits for it."""
        if self._late.pop(message_id, None) is not None:
            self._note(message_id)

    def _has_lost(self) -> None:
        """What is older than now may never come."""
        self._known_from = new_id()


def newest_that_fit(newest_first: Iterable[Shown]) -> list[Shown]:
    """The newest messages that are not too many and not too long in all, oldest first; the newest one however long it is."""
    fitting: list[Shown] = []
    left = MAX_HISTORY_BYTES
    for message_id, html in islice(newest_first, SHOWN_ON_JOINING):
        left -= len(html.encode()) + len(_BETWEEN) * bool(fitting)
        if left < 0 and fitting:
            break
        fitting.append((message_id, html))
    return fitting[::-1]
