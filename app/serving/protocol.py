"""One WebSocket on one TCP connection: uvicorn's `ws=` class, and at the same time the `Sink` that an outbox writes to.

It has no queue and no task. What comes goes to its `Listener`: first the ASGI session of the handshake, then, once the
application has detached it, the hub's conversation.

`pause_writing` with the lowest high-water mark means exactly "the transport buffers something": uvloop and asyncio both try the
kernel first. So `_blocked` is the whole truth about the socket, and a ready frame may go straight to the kernel while it is False.
"""

import asyncio
import logging
import os
import struct
from contextlib import suppress
from enum import Enum
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, cast
from weakref import WeakKeyDictionary

from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from app.hub.port import Listener
from app.serving.handshake import Refused, accepted, read_opening, refused, scope_of
from app.serving.heartbeat import Heartbeat
from app.serving.session import AsgiSession
from app.wire.prepared import Prepared
from app.wire.rfc6455 import (
    ABNORMAL,
    BINARY,
    CLOSE,
    INTERNAL_ERROR,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    ProtocolError,
    encode_close,
    encode_frame,
    parse_close,
)

CLOSE_TIMEOUT_S = 10.0
"""Seconds that a peer may take to end the closing handshake, or to take its last bytes."""
SHUTDOWN_TIMEOUT_S = 1.0
"""The same while the server stops."""
MAX_EARLY_BYTES = 65_536
"""Bytes that a peer may send before its handshake is answered. It should send none (RFC 6455, 4.1)."""

_heartbeats: WeakKeyDictionary[Any, Heartbeat] = WeakKeyDictionary()
"""One for each server, found by its configuration: a protocol class has no other place for what its sockets share."""
_PING_FRAME = encode_frame(PING, b"")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_log = logging.getLogger("wsx.serving")


class State(Enum):
    """The life of a socket, in order."""

    CONNECTING = 1
    OPEN = 2
    CLOSING = 3
    """Our close frame is out; the peer's is awaited."""
    ENDING = 4
    """Nothing is read or written any more; the TCP connection is on its way out."""
    CLOSED = 5


class WsxProtocol(asyncio.Protocol):
    """uvicorn makes one per upgrade, hands it the transport, then the request head as its first data."""

    __slots__ = (
        "_app_state",
        "_asked",
        "_blocked",
        "_close_code",
        "_close_reason",
        "_close_timer",
        "_config",
        "_fd",
        "_heard",
        "_left_bytes",
        "_listener",
        "_reader",
        "_reading_paused",
        "_server_state",
        "_slot",
        "_state",
        "_told_to_pause",
        "_transport",
    )

    _transport: asyncio.Transport
    _listener: Listener

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: object = None) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._state = State.CONNECTING
        self._reader: FrameReader | None = None
        self._slot: set[Any] | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._close_code = ABNORMAL
        self._close_reason = ""
        self._fd = -1
        self._left_bytes = 0
        self._asked = False
        self._heard = True
        self._blocked = self._told_to_pause = self._reading_paused = False

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection was handed over by the HTTP layer."""
        self._transport = cast("asyncio.Transport", transport)
        is_tls = transport.get_extra_info("sslcontext") is not None
        self._transport.set_write_buffer_limits(high=1 if is_tls else 0, low=0)  # of TLS the mark itself is too much already
        self._server_state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came; the first are the request head."""
        self._heard = True
        if self._reader is None:
            self._reader = FrameReader(self._config.ws_max_size)
            self._begin_handshake(data)
        elif self._state is State.CONNECTING:
            self._reader.feed(data)
            if self._reader.held_bytes() > MAX_EARLY_BYTES:
                self.abort()
        elif self._state in {State.OPEN, State.CLOSING}:
            self._reader.feed(data)
            self._read()

    def pause_writing(self) -> None:
        """The transport has begun to buffer: the peer does not take what we write."""
        self._blocked = True
        self._adjust_reading()

    def resume_writing(self) -> None:
        """The transport has nothing buffered any more."""
        self._blocked = False
        self._heard = True
        self._adjust_reading()
        if self._state is State.OPEN:
            self.tell(self._listener.writable)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The TCP connection is gone: the one place where the listener is told so."""
        self._state = State.CLOSED
        self._server_state.connections.discard(self)
        self._fd = -1
        if self._slot is not None:
            self._heartbeat().discard(self, self._slot)
            self._slot = None
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        if hasattr(self, "_listener"):
            self.tell(self._listener.closed, self._close_code, self._close_reason)

    def shutdown(self) -> None:
        """The server stops: say so, and do not wait long."""
        if self._state is State.CONNECTING:
            self.refuse(503, [], b"")
        else:
            self.close(1012, "restarting")
        self._cut_after(SHUTDOWN_TIMEOUT_S)

    # -- Sink --------------------------------------------------------------------------------------------------------
    def write(self, message: Prepared) -> bool:
        """Straight to the kernel while nothing is buffered; what it does not take waits in the transport."""
        if self._state is not State.OPEN:
            return True
        data = message.data
        if not self._blocked and self._fd >= 0:
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return True
            if sent == len(data):
                return True
            data = data[sent:]
        self._transport.write(data)
        return not self._blocked

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; a peer that does not answer it in time is cut."""
        if self._state is State.OPEN:
            self._state = State.CLOSING
            self._close_code, self._close_reason = code, reason
            self._transport.write(encode_close(code, reason))
            self._adjust_reading()
            self._cut_after(CLOSE_TIMEOUT_S)

    def abort(self) -> None:
        """Drop the connection. Without the reset the kernel would keep megabytes for a peer that never reads them."""
        if self._state is State.CLOSED:
            return
        self._state = State.ENDING
        with suppress(OSError):
            self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def pause(self) -> None:
        """Hand over no more messages."""
        self._told_to_pause = True
        self._adjust_reading()

    def resume(self) -> None:
        """Hand over messages again, beginning with those that are here already."""
        self._told_to_pause = False
        self._heard = True
        self._adjust_reading()

    def buffered_bytes(self) -> int:
        """Bytes that the transport holds."""
        return self._transport.get_write_buffer_size()

    # -- for the ASGI session ----------------------------------------------------------------------------------------
    def open(self, accept: bytes, headers: list[tuple[bytes, bytes]], subprotocol: str | None) -> None:
        """Answer the handshake. Frames that came with it are read in the next turn of the loop."""
        self._transport.write(accepted(accept, headers, subprotocol))
        self._state = State.OPEN
        if not self._transport.get_extra_info("sslcontext"):
            self._fd = self._transport.get_extra_info("socket").fileno()
        self._slot = self._heartbeat().add(self)
        if self._reader is not None and self._reader.held_bytes():
            asyncio.get_running_loop().call_soon(self._read)

    def refuse(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer the handshake with plain HTTP and end the connection."""
        if self._state is State.CONNECTING:
            self._transport.write(refused(status, headers, body))
            self._end()

    def hand_over(self, listener: Listener) -> None:
        """From now on this listener is told."""
        self._listener = listener

    def send_message(self, message: str | bytes) -> None:
        """Frame and write one message of the application."""
        self._transport.write(encode_frame(TEXT, message.encode()) if isinstance(message, str) else encode_frame(BINARY, message))

    def tell(self, call: Any, *args: object) -> None:
        """A listener that fails ends its own socket and nothing else."""
        try:
            call(*args)
        except Exception:
            _log.exception("socket listener failed")
            self._fail(INTERNAL_ERROR, "")

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake can still be answered."""
        return self._state is State.CONNECTING

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._state is State.OPEN

    @property
    def blocked(self) -> bool:
        """Whether the transport buffers something."""
        return self._blocked

    # -- heartbeat ---------------------------------------------------------------------------------------------------
    def ping(self) -> bool:
        """Ask for a sign of life. A peer that takes nothing is not written to: it must take what waits.

        False also while an earlier ping has time left: a new question would forget that the old one was answered.
        """
        if self._state is not State.OPEN:
            return False
        if not self._blocked:
            self._transport.write(_PING_FRAME)
        if self._asked:
            return False
        self._asked = True
        self._heard = False
        self._left_bytes = self._transport.get_write_buffer_size()
        return True

    def check_pong(self) -> None:
        """A sign of life is anything that came, or a buffer that shrank; whom we keep from talking is not blamed for silence."""
        self._asked = False
        if self._heard or self._told_to_pause or self._state is not State.OPEN:
            return
        if not self._blocked or self._transport.get_write_buffer_size() >= self._left_bytes:
            self._close_reason = "no sign of life"
            self.abort()

    # -- inside ------------------------------------------------------------------------------------------------------
    def _begin_handshake(self, head: bytes) -> None:
        try:
            opening = read_opening(head)
        except Refused as refusal:
            self.refuse(int(refusal.status), refusal.headers, b"")
            return
        transport = self._transport
        scope = scope_of(
            opening,
            root_path=self._config.root_path,
            secure=bool(transport.get_extra_info("sslcontext")),
            server=get_local_addr(transport),
            client=get_remote_addr(transport),
            state=self._app_state.copy(),
        )
        session = AsgiSession(self, opening.accept)
        self._listener = session
        task = asyncio.get_running_loop().create_task(session.run(self._config.loaded_app, scope))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _read(self) -> None:
        """Hand over what is complete, until there is no more, or nobody wants more: one read can hold 40,000 tiny frames."""
        assert self._reader is not None  # noqa: S101 - for the type checker; made with the first data
        try:
            while not self._reading_paused and self._state in {State.OPEN, State.CLOSING}:
                message = self._reader.next()
                if message is None:
                    return
                self._handle(message)
        except ProtocolError as error:
            self._fail(error.code, error.reason)

    def _handle(self, message: Message) -> None:
        opcode, data = message
        if opcode == PING:
            if not self._blocked and self._state is State.OPEN:
                self._transport.write(encode_frame(PONG, bytes(data)))  # type: ignore[arg-type]  # control frames carry bytes
        elif opcode == CLOSE:
            code, reason = parse_close(data)  # type: ignore[arg-type]  # control frames carry bytes
            if self._state is State.OPEN:
                self._close_code, self._close_reason = code, reason
                self._transport.write(encode_frame(CLOSE, bytes(data[:2])))  # type: ignore[arg-type]  # as above
            self._end()
        elif opcode != PONG and self._state is State.OPEN:
            self.tell(self._listener.received, data)

    def _fail(self, code: int, reason: str) -> None:
        """Say why, then throw away what still comes: closing with unread input would reset the connection and lose the reason."""
        if self._state is State.OPEN:
            self._close_code, self._close_reason = code, reason
            self._transport.write(encode_close(code, reason))
        if self._state in {State.OPEN, State.CLOSING}:
            self._state = State.ENDING
            self._adjust_reading()
            if self._transport.can_write_eof():
                self._transport.write_eof()
                self._cut_after(CLOSE_TIMEOUT_S)
            else:
                self._end()

    def _end(self) -> None:
        self._state = State.ENDING
        self._transport.close()
        self._cut_after(CLOSE_TIMEOUT_S)

    def _cut_after(self, seconds: float) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._close_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _adjust_reading(self) -> None:
        """Read only while the peer takes what we write and the listener takes what it sends. After our close none listens."""
        pause = (self._blocked and self._state in {State.OPEN, State.CLOSING}) or (self._told_to_pause and self.is_open)
        if pause == self._reading_paused or self._transport.is_closing():
            return
        self._reading_paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            if self._reader is not None and self._reader.held_bytes():
                asyncio.get_running_loop().call_soon(self._read)

    def _heartbeat(self) -> Heartbeat:
        """The one of this server."""
        beat = _heartbeats.get(self._config)
        if beat is None:
            beat = _heartbeats[self._config] = Heartbeat(self._config.ws_ping_interval, self._config.ws_ping_timeout)
        return beat
