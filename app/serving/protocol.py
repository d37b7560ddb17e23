"""One WebSocket on one TCP connection: uvicorn's `ws=` class, and at the same time the `Sink` that an outbox writes to.

It has no queue and no task. What comes goes to its `Listener`: first the ASGI session of the handshake, then, once the
application has detached it, the hub's conversation.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from app.hub.port import Listener
from app.kernel.clock import monotonic
from app.serving.handshake import Opening, Refused, Request, accepted, parse_head, read_opening, scope_of
from app.serving.heartbeat import heartbeat_of
from app.serving.session import AsgiSession
from app.serving.sink import SocketSink, State
from app.serving.stretches import reading_of, stretches_of
from app.wire.deflate import inflate
from app.wire.rfc6455 import (
    CLOSE,
    INTERNAL_ERROR,
    PING,
    PONG,
    FrameReader,
    Message,
    ProtocolError,
    encode_frame,
    parse_close,
)

SHUTDOWN_TIMEOUT_S = 1.0
"""Seconds that a peer may take to end the closing handshake while the server stops."""
MAX_EARLY_BYTES = 65_536
"""Bytes that a peer may send before its handshake is answered. It should send none (RFC 6455, 4.1)."""
MAX_HOLD_S = 0.002
"""Seconds for which the frames of one socket may hold the loop: one read can have 40,000 tiny ones, each a call of ours."""
FULL_READ_BYTES = 65_536
"""After so much at once others have their turn first: while reads fill its 256 KiB, libuv makes 32 of them in one turn, unless
reading is paused."""

_PING_FRAME = encode_frame(PING, b"")
_log = logging.getLogger("wsx.serving")


class WsxProtocol(SocketSink):
    """uvicorn makes one per upgrade, hands it the transport, then the request head as its first data."""

    __slots__ = (
        "_app_state",
        "_asked",
        "_config",
        "_left_bytes",
        "_listener",
        "_reader",
        "_server_state",
        "_slot",
    )

    _listener: Listener

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: object = None) -> None:
        super().__init__()
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._reader: FrameReader | None = None
        self._slot: set[Any] | None = None
        self._asked = False
        self._left_bytes = 0

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
        if self._state is State.CONNECTING:
            if self._reader is None:
                self.requested(parse_head(data))
                return
            self._reader.feed(data)
            if self._reader.held_bytes() > MAX_EARLY_BYTES:
                self.abort()
        elif self._state in {State.OPEN, State.CLOSING}:
            if self._reader is None:
                self._reader = self._new_reader()
            self._reader.feed(data)
            if len(data) >= FULL_READ_BYTES and not self._is_held_back:
                self._rest()
            self.read_on()

    def requested(self, request: Request) -> None:
        """The request for this WebSocket: what the `Door` calls, which has parsed it, in place of `data_received`."""
        self._reader = self._new_reader()
        try:
            opening = read_opening(request, may_compress=self._config.ws_per_message_deflate)
        except Refused as refusal:
            self.refuse(int(refusal.status), refusal.headers, b"")
            return
        self._begin(opening)
        if request.early:
            self.data_received(request.early)

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
            self._stalled_since = None
            self.tell(self._listener.writable)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The TCP connection is gone. The listener is told soon; a server that stops waits for that."""
        self._leave_open(State.CLOSED)
        if self._slot is not None:
            heartbeat_of(self._config).discard(self, self._slot)
            self._slot = None
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        stretches_of(self._config).add(self._tell_end)

    def _tell_end(self) -> None:
        """The one place where the listener hears of the end.

        It is let go: it holds us as well, and what holds itself stays until the garbage collector comes, which may be much later.
        """
        self._server_state.connections.discard(self)
        if hasattr(self, "_listener"):
            self.tell(self._listener.closed, self._close_code, self._close_reason)
            del self._listener

    def shutdown(self) -> None:
        """The server stops: say so, and do not wait long."""
        if self._state is State.CONNECTING:
            self.refuse(503, [], b"")
        else:
            self.close(1012, "restarting")
        asyncio.get_running_loop().call_later(SHUTDOWN_TIMEOUT_S, self.abort)  # whatever else happens meanwhile

    # -- for the ASGI session ----------------------------------------------------------------------------------------
    def open(self, opening: Opening, headers: list[tuple[bytes, bytes]], subprotocol: str | None) -> None:
        """Answer the handshake. Frames that came with it are read in the next turn of the loop."""
        self._transport.write(accepted(opening, headers, subprotocol))
        self._state = State.OPEN
        if not self._transport.get_extra_info("sslcontext"):
            self._fd = self._transport.get_extra_info("socket").fileno()
        self._slot = heartbeat_of(self._config).add(self)
        if self._reader is not None and self._reader.held_bytes():
            asyncio.get_running_loop().call_soon(self.read_on)
        else:
            self._reader = None

    def hand_over(self, listener: Listener) -> None:
        """From now on this listener is told."""
        self._listener = listener

    def tell(self, call: Any, *args: object) -> None:
        """A listener that fails ends its own socket and nothing else."""
        try:
            call(*args)
        except Exception:
            _log.exception("socket listener failed")
            self._fail(INTERNAL_ERROR, "")

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
        """A sign of life is anything that came, or a buffer that shrank; whom we keep from talking is not blamed for silence.

        Nor is a page that sleeps and cannot hear us, for a time: its outbox keeps the newest state for it.
        """
        self._asked = False
        if self._state is not State.OPEN:
            return
        if self._heard or self._told_to_pause or (self._blocked and self.buffered_bytes() < self._left_bytes):
            self._stalled_since = None
        elif not self._spare():
            if self._stalled_since is not None:
                self.tell(self._listener.stalled)
            else:
                self._close_reason = "no sign of life"
                self.abort()

    def _leave_open(self, state: State) -> None:
        """Let go of what was read: nobody reads on."""
        super()._leave_open(state)
        if state is not State.CLOSING:
            self._reader = None

    # -- inside ------------------------------------------------------------------------------------------------------
    def _new_reader(self) -> FrameReader:
        return FrameReader(self._config.ws_max_size, inflate if self._compresses else None)

    def _begin(self, opening: Opening) -> None:
        if opening.extensions is not None:
            self._compresses = True
            self._reader = self._new_reader()
        transport = self._transport
        scope = scope_of(
            opening,
            root_path=self._config.root_path,
            secure=bool(transport.get_extra_info("sslcontext")),
            server=_pair(transport.get_extra_info("sockname")),
            client=_pair(transport.get_extra_info("peername")),
            state=self._app_state.copy(),
        )
        session = AsgiSession(self, opening)
        self._listener = session
        task = asyncio.get_running_loop().create_task(session.run(self._config.loaded_app, scope))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def in_turn(self, call: Callable[[], None]) -> None:
        """One after the other: else a hundred who flood would hold the loop a hundred times as long as one."""
        reading_of(self._config).add(call)

    def read_on(self) -> None:
        """Hand over what is complete, until there is no more, or nobody wants more, or others are to have their turn.

        A page that has said all keeps no reader: most say nothing for hours.
        """
        reader, until = self._reader, monotonic() + MAX_HOLD_S
        try:
            while reader is not None and not self._is_held_back and self._state in {State.OPEN, State.CLOSING}:
                message = reader.next()
                if message is None:
                    self._reader, reader = None if reader.is_empty else reader, None
                    continue
                self._handle(message)
                if monotonic() >= until:
                    self._rest()
        except ProtocolError as error:
            self._fail(error.code, error.reason)
            self.tell(self._listener.broken, error.code)

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


def _pair(address: object) -> tuple[str, int] | None:
    """Host and port (ASGI); of IPv6 the transport tells more. None for a socket in the file system."""
    return (address[0], address[1]) if isinstance(address, tuple) else None
