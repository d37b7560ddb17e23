"""A wire between browsers and the server that can be cut, or goes silent: as in a tunnel, where neither side hears of the other."""

import asyncio
from contextlib import suppress
from typing import Self


class Wire:
    """Passes bytes on, from `url` to the server, and nothing while it is cut."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._is_cut = False
        self._near: set[asyncio.StreamWriter] = set()
        self._far: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._listener.close()
        await self._listener.wait_closed()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def cut(self, *, unnoticed: bool = False) -> None:
        """The browsers lose all connections, and get no new ones. `unnoticed`: to the server they seem to be open still."""
        self._is_cut = True
        for writer in self._near | (set() if unnoticed else self._far):
            writer.transport.abort()

    def fall_silent(self) -> None:
        """What is open stays open, and nothing comes through it any more. New connections are well."""
        self._silent |= self._near | self._far

    def mend(self, server_port: int = 0) -> None:
        """Pass on again, to this server if one is named; what was cut stays cut."""
        self._server_port = server_port or self._server_port
        self._is_cut = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._near.add(writer)
        self._far.add(far_writer)
        for task in (self._pass(reader, far_writer), self._pass(far_reader, writer)):
            passing = asyncio.create_task(task)
            self._passing.add(passing)
            passing.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if writer not in self._silent and not writer.is_closing():
                    writer.write(data)
                    await writer.drain()
        if not self._is_cut:
            writer.close()
