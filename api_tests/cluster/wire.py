"""A wire between a node and Redis that can be cut: what is said on it then is not heard until it is mended, and no end is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65_536


class Wire:
    """`url` leads through it."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def cut(self) -> None:
        """Nothing gets through, in either direction; new connections are taken and lead nowhere."""
        self._is_whole.clear()

    def mend(self) -> None:
        """All gets through again, also what was said meanwhile."""
        self._is_whole.set()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._is_whole.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        except OSError:
            pass
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := await reader.read(CHUNK_BYTES):
                await self._is_whole.wait()
                writer.write(said)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._take(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def wire_to(port: int) -> AsyncIterator[Wire]:
    """A wire to this port of the loopback, whole at first."""
    wire = Wire(port)
    server = await asyncio.start_server(wire.taken, "127.0.0.1", 0)
    wire.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield wire
    finally:
        server.close()
        await wire.stop()
