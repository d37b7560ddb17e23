"""A TCP proxy between a client and its server, which a test makes cut, hold back, or swallow what goes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PIECE_BYTES = 65_536


class Proxy:
    """Passes everything on, until it is told otherwise."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers = asyncio.Event()
        self._answers.set()
        self._refuses = False
        self._cut_behind, self.cuts_left = b"", 0
        self.port = 0
        self.connections = 0
        """How many were made."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """End every connection. The next ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    def cut_behind(self, words: bytes, times: int = 1) -> None:
        """End so many connections right behind these words of an answer: the client has all until there."""
        self._cut_behind, self.cuts_left = words, times

    def refuse(self) -> None:
        """End every connection, and each new one at once."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Take connections again."""
        self._refuses = False

    def hold_answers(self) -> None:
        """What is asked goes through; what is answered waits."""
        self._answers.clear()

    def release_answers(self) -> None:
        """What has waited goes on."""
        self._answers.set()

    async def taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refuses:
            writer.transport.abort()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, onward}
        for task in (self._pass(reader, onward, None), self._pass(there, writer, self._answers)):
            running = asyncio.ensure_future(task)
            self._tasks.add(running)
            running.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may: asyncio.Event | None) -> None:
        with suppress(OSError, RuntimeError):  # the loop's own word for a connection that was cut
            while piece := await reader.read(PIECE_BYTES):
                if may is not None:
                    await may.wait()
                    if self.cuts_left and (found := piece.find(self._cut_behind)) >= 0:
                        self.cuts_left -= 1
                        writer.write(piece[: found + len(self._cut_behind)])
                        break
                writer.write(piece)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    async def end(self) -> None:
        self.cut()
        self._answers.set()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.taken, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
