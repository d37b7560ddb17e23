"""A peer that speaks WebSocket byte by byte, so that it can also speak it wrongly; and servers for small ASGI applications."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import uvicorn

from api_tests.waiting import SOON_S, eventually
from app.serving.door import Door
from app.serving.protocol import WsxProtocol
from app.wire.rfc6455 import PING

KEY = base64.b64encode(b"0123456789abcdef").decode()


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One frame as a client sends it."""
    first, size, mask = (0x80 if final else 0) | reserved | opcode, len(payload), os.urandom(4)
    bit = 0x80 if masked else 0
    if size < 126:
        header = struct.pack("!BB", first, bit | size)
    elif size < 65_536:
        header = struct.pack("!BBH", first, bit | 126, size)
    else:
        header = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return header + payload
    return header + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(8, struct.pack("!H", code) + reason.encode())


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def close(self) -> tuple[int, str]:
        assert 8 == self.opcode, self
        return struct.unpack("!H", self.payload[:2])[0], self.payload[2:].decode()


class RawPeer:
    """One TCP connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.head = b""

    async def __aenter__(self) -> Self:
        connected = socket.create_connection(("127.0.0.1", self._port))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # a fixed size: full after a megabyte, not after ten
        self.reader, self.writer = await asyncio.open_connection(sock=connected, limit=2**24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def stop_reading(self) -> None:
        """From now on the kernel's buffers fill up."""
        self.writer.transport.pause_reading()

    def read_on(self) -> None:
        self.writer.transport.resume_reading()

    async def open(self, path: str = "/", **headers: str) -> Self:
        """Do the handshake."""
        self.send(request(path, **headers))
        async with asyncio.timeout(SOON_S):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101"), self.head
        return self

    async def answer(self) -> tuple[int, bytes]:
        """Status and whole text of a plain HTTP answer."""
        async with asyncio.timeout(SOON_S):
            text = await self.reader.read()
        return int(text.split(b" ")[1]), text

    async def frame(self) -> Frame:
        """The next frame of the server."""
        async with asyncio.timeout(SOON_S):
            first, size = await self.reader.readexactly(2)
            assert 0x80 == first & 0xF0, "final, no reserved bits"
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def message(self) -> Frame:
        """The next frame that is no ping: those come when they are due."""
        while (frame := await self.frame()).opcode == PING:
            pass
        return frame

    async def ended(self) -> bytes:
        """What still comes until the server ends the connection; a reset counts as an end."""
        async with asyncio.timeout(SOON_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


def request(path: str = "/", *, method: str = "GET", without: str = "", **headers: str) -> bytes:
    """A request to open a WebSocket. `sec_websocket_key="x"` replaces a header, `without` leaves one out."""
    named = {
        "host": "here",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    named.pop(without, None)
    lines = "".join(f"{name}: {line}\r\n" for name, value in named.items() for line in value.split("\n"))
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


class Running(NamedTuple):
    """A server, and the listener ends of its sockets."""

    port: int
    server: uvicorn.Server

    @property
    def sockets(self) -> list[WsxProtocol]:
        return [found for found in self.server.server_state.connections if isinstance(found, WsxProtocol)]

    def peer(self) -> RawPeer:
        return RawPeer(self.port)


@asynccontextmanager
async def serving(app: Any, **how: Any) -> AsyncIterator[Running]:
    """Serve an ASGI application with our socket layer. `http="httptools"`: with uvicorn's own way to it."""
    settings = {"http": Door, "lifespan": "off", "log_config": None, "ws_max_size": 65_536, "timeout_graceful_shutdown": 1} | how
    config = uvicorn.Config(app, host="127.0.0.1", port=0, ws=WsxProtocol, loop="uvloop", **settings)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield Running(server.servers[0].sockets[0].getsockname()[1], server)
    finally:
        server.should_exit = True
        await task


class Ear:
    """A `Listener` that remembers; `sink` is the socket's other side, as soon as it was handed over."""

    def __init__(self) -> None:
        self.sink: Any = None
        self.heard: list[str | bytes] = []
        self.ends: list[tuple[int, str]] = []
        self.broken_by: list[int] = []
        self.writable_count = 0
        self.on_message: Callable[[str | bytes], None] = lambda _message: None

    def received(self, message: str | bytes) -> None:
        self.heard.append(message)
        self.on_message(message)

    def writable(self) -> None:
        self.writable_count += 1

    def stalled(self) -> None:
        self.sink.close(1013, "too slow")

    def broken(self, code: int) -> None:
        self.broken_by.append(code)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


def detaching(ear: Ear) -> Any:
    """An application that accepts, hands its socket to the ear, and is gone."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "websocket.connect" == (await receive())["type"]
        await send({"type": "websocket.accept"})
        ear.sink = scope["extensions"]["wsx.socket"].detach(ear)

    return app
