"""The plain way to a socket: ASGI's own `send()` and `receive()`, for servers without our extension.

Slower and larger than the direct way (a task per socket), and the same in every promise; the contract tests run on both.
"""

import asyncio
from collections import deque
from typing import Any

from app.hub.port import Listener
from app.web.front import Receive, Send
from app.wire.prepared import Prepared

CLOSE_TIMEOUT_S = 10.0
"""Seconds that a peer may take to read what was sent before our goodbye, and to end the closing handshake."""


class AsgiSink:
    """A socket that was accepted. `run()` serves it until it is gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._closing: tuple[int, str] | None = None
        self._peer_is_there = True
        self._dropped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._close_timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether what is written goes to the peer."""
        return self._closing is None and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether the peer has left, or was dropped."""
        return not self._peer_is_there or self._dropped.done()

    def write(self, message: Prepared) -> bool:
        """Take the message; the next one after `writable()`."""
        self._pending.extend(message.payloads)
        self._pending_bytes += len(message.data)
        self._wake.set()
        return False

    def close(self, code: int, reason: str) -> None:
        """Close behind what is already taken. A peer that does not take it in time is dropped."""
        if self._closing is None:
            self._closing = code, reason
            self._reading.set()
            self._wake.set()
            self._drop_in_time()

    def abort(self) -> None:
        """Wait no longer. With the end of `run()` the server ends the connection; or the system does, if its peer takes nothing."""
        if not self._dropped.done():
            self._dropped.set_result(None)

    def pause(self) -> None:
        """Take no further message from the server."""
        self._reading.clear()

    def resume(self) -> None:
        """Take messages again."""
        self._reading.set()

    def buffered_bytes(self) -> int:
        """Bytes taken and not handed to the server."""
        return self._pending_bytes

    async def run(self, listener: Listener) -> None:
        """Serve the socket until it is gone, then tell the listener, once."""
        writer = asyncio.create_task(self._write(listener))
        reader = asyncio.create_task(self._read(listener))
        gone: set[asyncio.Future[Any]] = {reader, self._dropped}
        code, reason = 1006, ""
        try:
            await asyncio.wait({writer, *gone}, return_when=asyncio.FIRST_COMPLETED)
            self._drop_in_time()
            await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not reader.cancelled() and reader.exception() is None:
                code, reason = reader.result()
        finally:
            if self._close_timer is not None:
                self._close_timer.cancel()
            writer.cancel()
            reader.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            listener.closed(code, reason)

    def _drop_in_time(self) -> None:
        if self._close_timer is None:
            self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    async def _read(self, listener: Listener) -> tuple[int, str]:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._peer_is_there = False
                return message.get("code") or 1005, message.get("reason") or ""
            await self._reading.wait()
            if self._closing is None:
                text = message.get("text")
                listener.received(text if text is not None else message["bytes"])

    async def _write(self, listener: Listener) -> None:
        while self._closing is None or self._pending:
            if not self._pending:
                self._pending_bytes = 0
                self._wake.clear()
                listener.writable()
                await self._wait()
                continue
            await self._say(self._pending.popleft())
        await self._say_goodbye(*self._closing)

    async def _wait(self) -> None:
        """Return when there may be something to be said."""
        await self._wake.wait()

    async def _say(self, payload: bytes) -> None:
        await self._send({"type": "websocket.send", "text": payload.decode()})

    async def _say_goodbye(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code if code != 1006 else 1011, "reason": reason})
