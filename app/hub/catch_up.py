"""A connection catches up: it is shown what it missed, in order and once, and is live in the turn in which there is no more of it.

From its first moment on it is known to everybody, and takes no publications: whatever is published is in the journal, and is read
from there. What is sent to it past the journal waits behind. So there is no seam at which something could be missing or come twice.
It reads at the pace of its socket, so a slow one holds no memory; one that is slower than the journal forgets is closed (1013).
"""

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.delivery import Delivery
from app.hub.missed import Touch, touch_between
from app.hub.pending import NOTHING, Pending
from app.hub.publication import Publication
from app.hub.recall import Hearing
from app.hub.registry import Registry
from app.hub.returning import Back, Returning
from app.journal.port import Entry, GapError
from app.kernel.errors import Unavailable
from app.wire.dialect import Payloads
from app.wire.events import behind
from app.wire.prepared import Prepared

STEP = 200
"""Entries that are read before others have their turn: a millisecond."""
STEP_BYTES = 1_048_576
"""And what they may be long together, about: to decode it takes a few milliseconds."""
SHARE_BYTES = 65_536
"""What is written at once. Until then updates that replace each other collapse."""
MAX_WAIT_S = 60.0
"""Seconds in which a page must take what it was written, before it is closed as slow: pages that sleep have as much elsewhere. It
comes back to where it was."""

_log = structlog.get_logger()


class CatchUp:
    """Of one connection. Made before anybody knows of it; `start` when they do."""

    def __init__(
        self,
        *,
        returning: Returning,
        registry: Registry,
        delivery: Delivery,
        connection: Connection,
        back: Back,
        live: Callable[[Connection], None],
    ) -> None:
        """`live`: called in the turn in which the connection is live."""
        self._returning = returning
        self._registry = registry
        self._delivery = delivery
        self._connection = connection
        self._outbox = connection.outbox
        self._back = back
        self._live = live
        self._hearing = Hearing(connection)
        self._missed = NOTHING
        """What it was not written yet."""
        self._unmissed = 0
        """How many of these only say how it is."""
        self._shown: set[str] = set()
        """Keys of the things that it was shown."""
        self._placed = asyncio.Event()
        self._ended = asyncio.Event()
        self._woken = asyncio.Event()
        delivery.begin_catching_up(self._outbox, self)

    def start(self) -> None:
        """Begin. The page is in the rooms of its session from now on, and in those that it may not be in until they are checked."""
        if self._is_over():  # whoever heard that it is back has closed it
            return
        unchecked = self._enter_rooms()
        back, head = self._back, self._returning.journal.head()
        if not unchecked and back.is_known and not back.within and back.cursor in {None, head}:
            self._greet(head, resumed=back.cursor is not None)
            self._go_live()
            return
        task = asyncio.get_running_loop().create_task(self._run(unchecked), name="catch up")
        self._returning.running.add(task)
        task.add_done_callback(self._returning.running.discard)

    async def until_placed(self) -> None:
        """Return when the page is in no room any more in which it may not be: before that nothing is done for it."""
        await self._placed.wait()

    async def until_live(self) -> None:
        """Return when the page was shown all that it missed, and hears what is published; or when it is closed."""
        await self._ended.wait()

    def writable(self) -> None:
        """The socket takes more."""
        self._woken.set()

    def say_last(self, payload: bytes) -> None:
        """Write this behind what was taken up already. Before its hello a page is told nothing."""
        if self._outbox.sent_count or self._missed is not NOTHING:
            self._tell(payload)
            self._delivery.writing.write_missed(self._outbox, self._take_missed())

    def stop(self) -> None:
        """The connection is closed."""
        self._woken.set()
        self._placed.set()
        self._ended.set()

    async def _run(self, unchecked: Collection[str]) -> None:
        try:
            position = await self._begin(is_sure=await self._check_rooms(unchecked) and self._back.is_known)
            await self._read_on(position)
        except GapError:  # it comes back to where it was, as from the others
            self._connection.close(Close.SLOW)
        except Unavailable:
            self._connection.close(Close.NOT_CAUGHT_UP)
        except Exception:
            _log.exception("catching up failed", connection=self._connection.id)
            self._connection.close(Close.NOT_CAUGHT_UP)

    # -- rooms -------------------------------------------------------------------------------------------------------
    def _enter_rooms(self) -> Collection[str]:
        """Be in the rooms of before. Returns those of which nobody has said yet that it may be in them."""
        kept = self._back.kept
        if kept is None:
            return ()
        unchecked = [room_id for room_id in kept.rooms if room_id not in self._connection.rooms]
        for room_id, since in kept.rooms.items():
            self._registry.join(self._connection, room_id, since)
        return unchecked

    async def _check_rooms(self, unchecked: Collection[str]) -> bool:
        """Leave the rooms in which it may not be. False: that cannot be found out, and it has left all of them."""
        try:
            if unchecked:
                await self._returning.check_rooms(self._connection, unchecked)
        except Exception:
            _log.exception("rooms are not restored", connection=self._connection.id)
            for room_id in unchecked:
                self._registry.leave(self._connection, room_id)
            return False
        finally:
            self._placed.set()
        return True

    # -- the beginning -----------------------------------------------------------------------------------------------
    async def _begin(self, *, is_sure: bool) -> str:
        """Say whether it will be shown all that it missed. Returns the place from which on it is."""
        cursor = self._back.cursor
        if cursor is None:
            head = self._returning.journal.head()
            self._greet(head, resumed=False)
            return head
        if not is_sure:
            return self._tell_gap(self._returning.journal.head(), None)
        async with self._returning.slots:
            is_kept, is_lost = await self._is_kept(cursor), self._hearing.is_lost_since(cursor)
            rest = self._rest_at(cursor) if self._back.within else ()
            if is_kept and not is_lost and rest is not None:
                return self._resume(cursor, rest)
            head = self._returning.journal.head()
            touched = await touch_between(self._returning.touched, self._hearing, cursor, head, is_lost=is_lost)
        if touched is not None and rest is not None:
            if is_kept and not touched.is_doubtful:
                return self._resume(cursor, rest)
            if not touched.targets:  # what is gone was for others
                return self._resume(head, rest)
        return self._tell_gap(head, touched if rest is not None else None)

    def _resume(self, cursor: str, rest: Payloads) -> str:
        """Say that from this place on it is shown all, and show it the rest of what has this place. Returns the place."""
        self._greet(cursor, resumed=True)
        if rest:
            self._missed = self._missed.then(Prepared.of(rest))
        return cursor

    def _rest_at(self, cursor: str) -> Payloads | None:
        """What it did not get of the publication within which it was cut off. None: nobody can say that any more."""
        recall = self._returning.recall
        try:
            entry = self._returning.journal.at(cursor)
        except GapError:
            return None
        publication = recall.publication(entry)
        heard = self._hearing.parts_of(publication, cursor)
        self._note_shown(publication, heard)
        return behind(recall.message(entry, self._connection.dialect, heard).payloads, self._back.within)

    async def _is_kept(self, cursor: str) -> bool:
        try:
            await self._returning.journal.read(cursor, 1)
        except (GapError, Unavailable):
            return False
        return True

    def _greet(self, cursor: str, *, resumed: bool) -> None:
        self._returning.counts.resumed += resumed
        self._tell(self._returning.greeting(self._connection, cursor, resumed=resumed))

    def _tell_gap(self, head: str, touched: Touch | None) -> str:
        """Say that what it missed until this place is gone. Returns the place."""
        self._greet(head, resumed=False)
        self._returning.counts.gaps += 1
        self._tell(self._connection.dialect.encode_gap(head, touched.named if touched is not None else ()))
        return head

    def _tell(self, payload: bytes | None) -> None:
        if payload is not None:
            self._missed = self._missed.then(Prepared(payload))
            self._unmissed += 1

    # -- the rest ----------------------------------------------------------------------------------------------------
    async def _read_on(self, position: str) -> None:
        """Show it what comes after this place, until there is nothing more. Raises GapError."""
        while not self._is_over():
            if self._missed.size_bytes >= SHARE_BYTES:
                await self._write()
            async with self._returning.slots:
                position = await self._step(position)
                await asyncio.sleep(0)  # with the slot: so others have their turn between a few steps, however many are back

    async def _step(self, after: str) -> str:
        """Read a little, and be live if that was all. Returns how far it is. Raises GapError."""
        journal = self._returning.journal
        entries = await journal.read(after, STEP)
        if self._outbox.closed:
            return after
        position = self._collect(entries, after)
        if position >= journal.head():
            self._go_live()
        elif position == after:
            raise GapError(after)
        return position

    def _collect(self, entries: Sequence[Entry], position: str) -> str:
        """Take up what it hears of these, no more than a share, and no more than a step of bytes. Returns how far that is.

        What this node has not delivered yet is left to come when it is.
        """
        recall = self._returning.recall
        head = self._returning.journal.head()
        read_bytes = 0
        for entry in entries:
            if entry.cursor > head or self._missed.size_bytes >= SHARE_BYTES or read_bytes >= STEP_BYTES:
                break
            position = entry.cursor
            read_bytes += len(entry.payload)
            publication = recall.publication(entry)
            heard = () if publication.is_over(entry.at) else self._hearing.parts_of(publication, position, self._shown)
            if heard:
                self._note_shown(publication, heard)
                self._missed = self._missed.then(recall.message(entry, self._connection.dialect, heard))
        return position

    def _note_shown(self, publication: Publication, heard: Collection[int]) -> None:
        self._shown.update(key for place in heard if (key := publication.parts[place].key))

    async def _write(self) -> None:
        """Write what was taken up, and wait until the socket takes more."""
        missed = self._take_missed()
        self._woken.clear()
        if not self._delivery.writing.write_missed(self._outbox, missed):
            try:
                async with asyncio.timeout(MAX_WAIT_S):
                    await self._woken.wait()
            except TimeoutError:
                self._connection.close(Close.SLOW)

    def _is_over(self) -> bool:
        return self._outbox.catch_up is not self

    def _go_live(self) -> None:
        self._connection.caught_up_on = self._shown or ()
        self._delivery.go_live(self._outbox, self._take_missed())
        self._ended.set()
        self._live(self._connection)

    def _take_missed(self) -> Pending:
        missed, self._missed = self._missed, NOTHING
        self._returning.counts.replayed += missed.count - self._unmissed
        self._unmissed = 0
        return missed
