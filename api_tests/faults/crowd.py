"""Thousands of pages in one process: each is an `asyncio.Protocol` that reads just what it must."""

import asyncio
import json
import struct
from collections.abc import Coroutine, Sequence
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

from api_tests.waiting import MS
from app.kernel.clock import monotonic

RETRY_S = 0.5
"""As `wsx.js`: a handshake that failed is tried again within this time."""
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LONG, _LONGER = 126, 127
"""What stands for the length of a frame that has it in the next 2, or 8, bytes."""


class Page(asyncio.Protocol):
    """A page that comes back in its slot, or soon where it was told none; and what became of it."""

    def __init__(self, urls: Sequence[str], retry_s: float, *, token: str = "") -> None:
        """`urls`: of the servers, as `http://host:port`; it asks the next one each time that it lost one, or found none there.

        `retry_s`: after what time this one tries again, where it was told no slot.
        """
        self._urls = cycle(urls)
        self.url = next(self._urls)
        """Of the server that it is with."""
        self._retry_s = retry_s
        self._offered = f"wsx.v1, wsx.token.{token}" if token else "wsx.v1"
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
        """Try until somebody listens. From now on it comes back when it is cut off."""
        self._is_over = False
        await self._connect()

    async def _connect(self) -> None:
        self._seen, self._is_open, self._slot_s = b"", False, None
        while not self._is_over:
            try:
                host, _, port = self.url.removeprefix("http://").partition(":")
                await asyncio.get_running_loop().create_connection(lambda: self, host, int(port))
            except OSError:
                self.url = next(self._urls)
                await asyncio.sleep(self._retry_s)
            else:
                return

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    def say(self, message: Any) -> None:
        """Send it as JSON."""
        self._say(_TEXT, json.dumps(message).encode())

    def leave(self) -> None:
        """Go, and do not come back by itself."""
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        known = {name: value for name, value in (("cursor", self.cursor), ("session", self.session)) if value}
        transport.write(
            f"GET /ws?{urlencode(known)} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {self._offered}\r\n\r\n".encode()
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
        self._lost()
        if not self._is_over:
            self.url = next(self._urls)
            wait_s = self._slot_s if self._slot_s is not None else self._retry_s
            self._begin(self._come_back(wait_s))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self._connect()

    # -- frames ------------------------------------------------------------------------------------------------------
    def _next_frame(self) -> tuple[int, bytes] | None:
        seen = self._seen
        if len(seen) < 2:
            return None
        size, begin = seen[1] & 127, 2
        if size >= _LONG:
            begin = 4 if size == _LONG else 10
            size = int.from_bytes(seen[2:begin])
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
            self._told(json.loads(payload))

    def _told(self, message: Any) -> None:
        """A `hello` moves no place that is known: behind it follows what was missed, or a gap."""
        known = self.cursor
        if not (known and message.get("type") == "hello"):
            self.cursor = message.get("cursor", known)
        match message.get("type"):
            case "hello":
                self.session = message["session"]
                self.hellos.append(monotonic())
                self._greeted(has_missed=bool(known) and not message["resumed"], is_resumed=message["resumed"])
            case "drain":
                self.slots_ms.append(message["retry_in_ms"])
                self._slot_s = message["retry_in_ms"] * MS
            case _:
                self._received(message, known)

    def _greeted(self, *, has_missed: bool, is_resumed: bool) -> None:
        """`has_missed`: a gap follows."""

    def _received(self, message: Any, _known: str) -> None:
        """`known`: its place before."""
        self.messages.append(message)

    def _lost(self) -> None:
        """Its connection has ended."""

    def _say(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which changes nothing."""
        if self._transport is not None:
            size = bytes((0x80 | len(payload),)) if len(payload) < _LONG else struct.pack("!BH", 0x80 | _LONG, len(payload))
            self._transport.write(bytes((0x80 | opcode,)) + size + b"\0\0\0\0" + payload)


def crowd(address: str, count: int) -> list[Page]:
    """So many pages of one server, not yet connected; what they do without a slot is spread evenly."""
    return [Page([address], RETRY_S * (place + 1) / count) for place in range(count)]
