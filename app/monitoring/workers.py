"""Workers of one supervisor answer `/metrics` for each other: whoever is asked asks the others.

Each listens on a socket in a folder that their supervisor made, which nobody else may enter. Whoever connects is told all families
of its samples, and nothing is read: there is no question to get wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from prometheus_client.core import GaugeMetricFamily

from app.monitoring.families import Family, Renderer

ASK_S: Final = 1.0
"""Seconds in which the other workers answer. One whose loop is held for longer is told of as one that does not."""

MAX_FOLDER_BYTES: Final = 99
"""Of its path. Addresses of sockets in the file system have 104 bytes on macOS, 108 on Linux; ours add `/256` and a NUL."""

Tell = Callable[[], Awaitable[Sequence[Family]]]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Family]).decode


class WorkerPlace(NamedTuple):
    """Which worker of its supervisor a process is."""

    number: int
    """From 1."""
    of: int
    """How many there are."""
    folder: Path
    """Of their sockets."""

    @property
    def labels(self) -> dict[str, str]:
        """What its samples are told apart by."""
        return {"worker": str(self.number)}


class Workers:
    """The workers of one supervisor, as one of them sees them."""

    def __init__(self, place: WorkerPlace, tell: Tell) -> None:
        """`tell`: the families of this worker."""
        self._place = place
        self._tell = tell

    async def all(self) -> list[Family]:
        """The families of all that answer, each once, and which workers those are."""
        place = self._place
        numbers = range(1, place.of + 1)
        answers = await asyncio.gather(*map(self._ask, numbers))
        up = GaugeMetricFamily("wsx_worker_up", "Whether the worker has answered", labels=["worker"])
        for number, answer in zip(numbers, answers, strict=True):
            up.add_metric([str(number)], answer is not None)
        together: dict[bytes, list[bytes]] = {}
        for family in (one for answer in answers if answer is not None for one in answer):
            together.setdefault(family.head, []).append(family.samples)
        return [await Renderer({}).rendered(up), *(Family(head, b"".join(samples)) for head, samples in together.items())]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer the others while the block runs. One that was killed has left its socket, which is replaced."""
        path = self._path(self._place.number)
        path.unlink(missing_ok=True)
        async with await asyncio.start_unix_server(self._answer, path):
            yield
        path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._place.folder / str(number)

    async def _ask(self, number: int) -> Sequence[Family] | None:
        if number == self._place.number:
            return await self._tell()
        try:
            async with asyncio.timeout(ASK_S):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                try:
                    return _decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.DecodeError):  # it is gone, or ends in the middle of its answer
            return None

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(_encode(await self._tell()))
        finally:
            writer.close()
