"""What waits to be appended: all that arrives while one step is on its way leaves with the next."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context

import structlog

from app.journal.place import Place
from app.kernel.batches import shown
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable
from app.kernel.histogram import SIZES, Histogram

APPEND_S = 3.0
"""Seconds within which whoever appends has an answer."""
MAX_STEP = 128
"""Payloads in one step. Redis does nothing else meanwhile: about a millisecond."""
MAX_STEP_BYTES = 1_048_576
"""And what they may be long together, unless one alone is longer."""
MAX_WAITING_BYTES = 67_108_864
"""What may wait; then no more is taken. 64 MiB: Redis would have to be slower than the network for seconds."""

_log = structlog.get_logger()


class TooLate(Exception):
    """Nothing was appended: Redis came to it after its time."""


class _Append:
    __slots__ = ("done", "payload", "until")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.until = monotonic() + APPEND_S
        self.done: asyncio.Future[Place] = asyncio.get_running_loop().create_future()


class Appends:
    """Appended in the order in which they were put. One step at a time is on its way."""

    def __init__(self, step: Callable[[Sequence[bytes], float], Awaitable[Sequence[Place]]]) -> None:
        """`step`: appends payloads and returns their places, or raises Unavailable, or TooLate after so many seconds."""
        self._step = step
        self._waiting: deque[_Append] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.name = "journal"
        self.sizes = Histogram(SIZES)

    def __len__(self) -> int:
        """How many payloads wait, without those that are on their way."""
        return len(self._waiting)

    async def put(self, payload: bytes) -> Place:
        """Append it; the place. Raises Unavailable. Whoever no longer waits for it has it not appended, if it has not left yet."""
        if self._bytes + len(payload) > MAX_WAITING_BYTES:
            raise Unavailable("too much waits to be published; this was not taken")
        append = _Append(payload)
        self._waiting.append(append)
        self._bytes += len(payload)
        if self._task is None:
            context = Context()  # and not that of this caller: it appends for all others, too
            self._task = asyncio.get_running_loop().create_task(self._run(), name="journal appends", context=context)
        return await append.done

    def refuse(self, why: str) -> None:
        """Whatever waits is not appended."""
        while self._waiting:
            _refuse(self._take(), why)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Show the queue to whoever watches, while the block runs. At its end what is on its way is waited for."""
        with shown(self):
            try:
                yield
            finally:
                if self._task is not None:
                    await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while self._waiting:
                if step := self._take():
                    await self._append(step)
        finally:
            self._task = None

    async def _append(self, step: Sequence[_Append]) -> None:
        within_s = min(append.until for append in step) - monotonic()
        try:
            places = await self._step([append.payload for append in step], within_s)
        except TooLate:
            self._waiting.extendleft(reversed(step))
            self._bytes += sum(len(append.payload) for append in step)
        except Unavailable as error:
            _refuse(step, error.detail)
        except Exception:
            _log.exception("appending to the journal failed")
            _refuse(step, "it is not known whether it was published")
        else:
            self.sizes.observe(len(step))
            for append, place in zip(step, places, strict=True):
                if not append.done.done():
                    append.done.set_result(place)

    def _take(self) -> Sequence[_Append]:
        """The oldest that somebody waits for."""
        taken: list[_Append] = []
        taken_bytes = 0
        while self._waiting and len(taken) < MAX_STEP:
            size_bytes = len(self._waiting[0].payload)
            if taken and taken_bytes + size_bytes > MAX_STEP_BYTES:
                break
            append = self._waiting.popleft()
            self._bytes -= size_bytes
            if not append.done.done():
                taken.append(append)
                taken_bytes += size_bytes
        return taken


def _refuse(step: Sequence[_Append], why: str) -> None:
    for append in step:
        if not append.done.done():
            append.done.set_exception(Unavailable(why))
