"""In which order writes become transactions, how a group of them is divided where it fails, and what waits for somebody else."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import Context

from app.db.backend import Held, Overruled
from app.db.writes import Commits, Write, all_of
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable, Unclear
from app.kernel.histogram import Histogram

MAX_ROWS = 256
"""Rows that one transaction makes, some 10 ms, for which other writers wait; one write may make more, and leaves alone."""
ANSWERED_AT_ONCE = 32
"""Writes that are answered in one turn of the loop: what each then publishes to a room holds it for some 0.2 ms."""
SETTLE_S = 5.0
"""Seconds for which a commit without an answer is done again. A server that was killed is back by then, or gone for longer."""
SETTLE_PAUSE_S = 0.2


class _Line(ABC):
    """One transaction at a time."""

    def __init__(self, commit: Commits, sizes: Histogram, *, is_patient: bool) -> None:
        self._commit = commit
        self._sizes = sizes
        self._is_patient = is_patient
        self._task: asyncio.Task[None] | None = None
        self._stored: deque[tuple[Write, object]] = deque()
        """What is to be answered, and how."""

    def _begin(self) -> None:
        if self._task is None:  # in a context of its own: it works for others than the first one, too
            self._task = asyncio.get_running_loop().create_task(self._run(), name="database writer", context=Context())

    async def idle(self) -> None:
        """Return when nothing waits."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    @abstractmethod
    async def _run(self) -> None:
        """Until nothing waits."""

    def _take(self, waiting: deque[Write]) -> Sequence[Write]:
        """The oldest of these."""
        group: list[Write] = []
        rows = 0
        while waiting and (not group or rows + waiting[0].rows <= MAX_ROWS):
            write = waiting.popleft()
            if self._is_mine(write):
                group.append(write)
                rows += write.rows
        return group

    def _is_mine(self, write: Write) -> bool:
        """Whether it is still to be stored here."""
        return write.is_wanted()

    async def _store(self, group: Sequence[Write]) -> None:
        if not group:
            return
        try:
            outcomes = await self._settled(group)
        except Exception as error:
            halves = _halves(group, error)
            for half in halves:
                await self._store([write for write in half if self._is_mine(write)])
            if not halves:
                self._refuse(group, error)
        else:
            self._sizes.observe(len(group))
            self._end(zip(group, outcomes, strict=True))

    def _refuse(self, group: Sequence[Write], error: Exception) -> None:
        self._end((write, _copy_of(error)) for write in group)

    def _end(self, answers: Iterable[tuple[Write, object]]) -> None:
        is_answering = bool(self._stored)
        self._stored.extend(answers)
        if not is_answering:
            self._answer()

    def _answer(self) -> None:
        """Some, in order; the others in the next turns of the loop, while the next group is on its way."""
        for _ in range(min(len(self._stored), ANSWERED_AT_ONCE)):
            write, outcome = self._stored.popleft()
            write.end(outcome)
        if self._stored:
            asyncio.get_running_loop().call_soon(self._answer)

    async def _settled(self, group: Sequence[Write]) -> Sequence[object]:
        """Commit; where it is not known whether it was done, again, until it is."""
        try:
            return await self._commit(all_of(group), is_patient=self._is_patient)
        except Unclear as error:
            unclear = error
        until = monotonic() + SETTLE_S
        while monotonic() < until:
            await asyncio.sleep(SETTLE_PAUSE_S)
            try:
                return await self._commit(all_of(group), is_patient=self._is_patient)
            except Unavailable:
                continue
        raise unclear


class Lane(_Line):
    """Writes in order, of which none waits long for somebody else."""

    def __init__(self, commit: Commits, sizes: Histogram, aside: "Aside") -> None:
        super().__init__(commit, sizes, is_patient=False)
        self._waiting: deque[Write] = deque()
        self._aside = aside

    def put(self, write: Write) -> None:
        """Store it with the next group."""
        self._waiting.append(write)
        self._begin()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._store(self._take(self._waiting))
        finally:
            self._task = None

    def _is_mine(self, write: Write) -> bool:
        """Not where those of its place are aside."""
        if not super()._is_mine(write):
            return False
        if is_aside := write.place in self._aside:
            self._aside.put(write)
        return not is_aside

    def _refuse(self, group: Sequence[Write], error: Exception) -> None:
        """What waits for somebody else does that aside."""
        if not isinstance(error, Held):
            super()._refuse(group, error)
            return
        for write in group:
            self._aside.put(write)


class Aside(_Line):
    """Writes that wait for somebody else, place by place; those of one place in order."""

    def __init__(self, commit: Commits, sizes: Histogram) -> None:
        super().__init__(commit, sizes, is_patient=True)
        self._places: dict[str, deque[Write]] = {}

    def __contains__(self, place: str) -> bool:
        """Whether writes of this place are here: those that come must stay behind them."""
        return place in self._places

    def put(self, write: Write) -> None:
        """Store it behind the others of its place."""
        self._places.setdefault(write.place, deque()).append(write)
        self._begin()

    async def _run(self) -> None:
        try:
            while self._places:
                place, waiting = next(iter(self._places.items()))
                await self._store(self._take(waiting))
                del self._places[place]
                if waiting:  # behind the other places
                    self._places[place] = waiting
        finally:
            self._task = None


def _halves(group: Sequence[Write], error: Exception) -> Sequence[Sequence[Write]]:
    """How a group is divided to find what is wrong; none: it is wrong with all of them.

    Writes of one place need the same row: where that is held, they stay together.
    """
    if isinstance(error, Held):
        places = list(dict.fromkeys(write.place for write in group))
        first = set(places[: len(places) // 2])
        halves = [write for write in group if write.place in first], [write for write in group if write.place not in first]
        return halves if first else ()
    if len(group) == 1 or (isinstance(error, Unavailable) and not isinstance(error, Overruled)):
        return ()
    middle = len(group) // 2
    return group[:middle], group[middle:]


def _copy_of(error: Exception) -> Exception:
    """Each who waits raises one of their own: an error keeps the traces of all who raise it."""
    if not isinstance(error, Unavailable):
        return error
    copy = type(error)(error.detail)
    copy.__cause__ = error.__cause__
    for note in getattr(error, "__notes__", ()):
        copy.add_note(note)
    return copy
