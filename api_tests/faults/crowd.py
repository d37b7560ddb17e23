"""Thousands of pages in one process: each is an `asyncio.Protocol` that reads just what it must."""

import asyncio
import json
import struct
from typing import Any
from urllib.parse import urlencode

from api_tests.waiting import MS
from app.kernel.clock import monotonic

RETRY_S = 0.5
"""As `wsx.js`: a handshake that failed is tried again within this time."""
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Page(asyncio.Protocol):
    """A page that comes back in its slot, or soon where it was told none; and what became of it."""

    def __init__(self, host: str, port: int, retry_s: float) -> None:
        """`retry_s`: after what time this one tries again, where it was told no slot."""
        self._address = host, port
        self._retry_s = retry_s
        self._seen = b""
        self._transport: asyncio.Transport | None = None
        self._is_over = False
        self._is_open = False
        self._slot_s: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cursor = self.session = ""
        self.slots_ms: list[int] = []
        self.codes: list[int] = []
        self.statuses: list[int] = []
        """Answers to handshakes."""
        self.hellos: list[float] = []
        """When it was greeted."""
        self.messages: list[Any] = []

    async def connect(self) -> None:
        """Try until somebody listens."""
        self._seen, self._is_open, self._slot_s = b"", False, None
        while not self._is_over:
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
            except OSError:
                await asyncio.sleep(self._retry_s)
            else:
                return

    def leave(self) -> None:
        """Come back no more."""
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        known = {name: value for name, value in (("cursor", self.cursor), ("session", self.session)) if value}
        transport.write(
            f"GET /ws?{urlencode(known)} HTTP/1.1\r\nHost: {self._address[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: wsx.v1\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._is_open:
            head, end, rest = self._seen.partition(b"\r\n\r\n")
            if not end:
                return
            self.statuses.append(int(head[9:12]))
            self._is_open, self._seen = self.statuses[-1] == 101, rest
        while self._is_open and (frame := self._next_frame()) is not None:
            self._heard(*frame)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        if not self._is_over:
            wait_s = self._slot_s if self._slot_s is not None else self._retry_s
            task = asyncio.get_running_loop().create_task(self._come_back(wait_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _come_back(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self.connect()

    # -- frames ------------------------------------------------------------------------------------------------------
    def _next_frame(self) -> tuple[int, bytes] | None:
        seen = self._seen
        if len(seen) < 2:
            return None
        size, begin = seen[1] & 127, 2
        if size == 126:
            size, begin = int.from_bytes(seen[2:4]), 4
        if len(seen) < begin + size:
            return None
        self._seen = seen[begin + size :]
        return seen[0] & 15, seen[begin : begin + size]

    def _heard(self, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:
            self.codes.append(struct.unpack("!H", payload[:2])[0])
            self._say(_CLOSE, payload[:2])
        elif opcode == _PING:
            self._say(_PONG, payload)
        elif opcode == _TEXT:
            message = json.loads(payload)
            self.cursor = message.get("cursor", self.cursor)
            match message.get("type"):
                case "hello":
                    self.session = message["session"]
                    self.hellos.append(monotonic())
                case "drain":
                    self.slots_ms.append(message["retry_in_ms"])
                    self._slot_s = message["retry_in_ms"] * MS
                case _:
                    self.messages.append(message)

    def _say(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which changes nothing."""
        if self._transport is not None:
            self._transport.write(bytes((0x80 | opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload)


def crowd(address: str, count: int) -> list[Page]:
    """So many pages of one server, not yet connected; what they do without a slot is spread evenly."""
    host, _, port = address.rpartition("//")[2].partition(":")
    return [Page(host, int(port), RETRY_S * (place + 1) / count) for place in range(count)]
