"""The writing half of a socket: the `Sink` of an outbox, on top of a transport. Also how a socket ends.

`pause_writing` with the lowest high-water mark means exactly "the transport buffers something": uvloop and asyncio both try the
kernel first. So `_blocked` is the whole truth about the socket, and a ready frame may go straight to the kernel while it is False.
"""

import asyncio
import os
import struct
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from socket import SO_LINGER, SOL_SOCKET

from app.hub.close import Close
from app.kernel.clock import monotonic
from app.serving.handshake import refused
from app.serving.stalls import MAX_STALL_S, is_stalled
from app.wire.prepared import Prepared
from app.wire.rfc6455 import ABNORMAL, BINARY, TEXT, encode_close, encode_frame

CLOSE_TIMEOUT_S = 10.0
"""Seconds that a peer may take to end the closing handshake, or to take its last bytes. It begins anew while its page sleeps."""

GOODBYE_S = 40.0
"""Seconds that a sleeping page has to wake up and read why it was closed. One that never reads
fills its outbox in a few seconds where much is said, and is then gone within a minute, with what the kernel holds for it."""

_FOR_ABUSE = frozenset({Close.PROTOCOL.code, Close.TOO_MANY_MESSAGES.code})
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class State(Enum):
    """The life of a socket, in order."""

    CONNECTING = 1
    OPEN = 2
    CLOSING = 3
    """Our close frame is out; the peer's is awaited."""
    ENDING = 4
    """Nothing is read or written any more; the TCP connection is on its way out."""
    CLOSED = 5


class SocketSink(asyncio.Protocol):
    """What can be done to one socket. Whoever derives from it hears what the socket does, and reads."""

    __slots__ = (
        "_blocked",
        "_close_code",
        "_close_reason",
        "_close_timer",
        "_compresses",
        "_fd",
        "_heard",
        "_reading_paused",
        "_rests",
        "_stalled_since",
        "_state",
        "_told_to_pause",
        "_transport",
    )

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._state = State.CONNECTING
        self._close_timer: asyncio.TimerHandle | None = None
        self._close_code = ABNORMAL
        self._close_reason = ""
        self._fd = -1
        self._stalled_since: float | None = None
        self._heard = True
        self._blocked = self._told_to_pause = self._rests = self._reading_paused = self._compresses = False

    @abstractmethod
    def read_on(self) -> None:
        """Hand over the messages that are here already. Called when reading goes on."""

    @abstractmethod
    def in_turn(self, call: Callable[[], None]) -> None:
        """Make the call once others who say much have had their turn."""

    # -- Sink --------------------------------------------------------------------------------------------------------
    def write(self, message: Prepared) -> bool:
        """Straight to the kernel while nothing is buffered: two thirds of what the transport costs. What is left waits there."""
        data = (message.compressed or message.compress()) if self._compresses else message.data
        if self._blocked or self._fd < 0:
            return self._write_by_transport(data)
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return True
        if sent == len(data):
            return True
        return self._write_by_transport(memoryview(data)[sent:])  # a view: a thousand that stall together share the bytes

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; a peer that does not answer it in time is cut. Who abused us is not listened to any more.

        Behind what a sleeping page has not read our word waits too: it is given time to wake up and read it, unless it abused us.
        Raises ValueError for a code that may not be sent, and nothing is done.
        """
        if self._state is not State.OPEN:
            return
        if code in _FOR_ABUSE:
            self._fail(code, reason)
            return
        self._say_goodbye(code, reason)
        self._leave_open(State.CLOSING)
        self._adjust_reading()
        self._stalled_since = None
        if self._blocked:
            self._note_stall()
        self._look_again(monotonic() + GOODBYE_S)

    def abort(self) -> None:
        """Drop the connection. Without the reset the kernel would keep megabytes for a peer that never reads them."""
        if self._state is State.CLOSED:
            return
        self._leave_open(State.ENDING)
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

    def _write_by_transport(self, data: bytes | memoryview) -> bool:
        if self._state is State.OPEN:
            self._transport.write(data)
            return not self._blocked
        return True

    # -- for the ASGI session ----------------------------------------------------------------------------------------
    def refuse(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer the handshake with plain HTTP and end the connection."""
        if self._state is State.CONNECTING:
            self._transport.write(refused(status, headers, body))
            self._end()

    def send_message(self, message: str | bytes) -> None:
        """Frame and write one message of the application."""
        self._transport.write(encode_frame(TEXT, message.encode()) if isinstance(message, str) else encode_frame(BINARY, message))

    @property
    def is_gone(self) -> bool:
        """Whether the TCP connection has ended."""
        return self._state is State.CLOSED

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

    def _leave_open(self, state: State) -> None:
        """From here on nothing goes straight to the kernel: it would overtake the goodbye, or reach whoever has the number next."""
        self._state = state
        self._fd = -1

    # -- ending ------------------------------------------------------------------------------------------------------
    def _fail(self, code: int, reason: str) -> None:
        """Say why, then throw away what still comes: closing with unread input would reset the connection and lose the reason."""
        if self._state is State.OPEN:
            self._say_goodbye(code, reason)
        if self._state in {State.OPEN, State.CLOSING}:
            self._leave_open(State.ENDING)
            self._adjust_reading()
            if self._transport.can_write_eof():
                self._transport.write_eof()
                self._cut_after(CLOSE_TIMEOUT_S)
            else:
                self._end()

    def _say_goodbye(self, code: int, reason: str) -> None:
        """Encoded before anything changes: what cannot be said leaves the socket as it is."""
        goodbye = encode_close(code, reason)
        self._close_code, self._close_reason = code, reason
        self._transport.write(goodbye)

    def _end(self) -> None:
        self._leave_open(State.ENDING)
        self._transport.close()
        self._cut_after(CLOSE_TIMEOUT_S)

    def _cut_after(self, seconds: float) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._close_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _look_again(self, until: float) -> None:
        cut = partial(self._cut_unless_spared, until)  # in turn: thousands may have been closed at once
        self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.in_turn, cut)

    def _cut_unless_spared(self, until: float) -> None:
        if self._state is not State.CLOSING:  # it has ended, or is about to
            return
        if monotonic() < until and self._spare():
            self._look_again(until)
        else:
            self.abort()

    # -- sleep -------------------------------------------------------------------------------------------------------
    def _spare(self) -> bool:
        """Look at a silent peer. Whether to wait on: for a page that sleeps, for a time; for one that has just woken up, once."""
        has_slept = self._stalled_since is not None
        self._note_stall()
        return has_slept if self._stalled_since is None else monotonic() - self._stalled_since < MAX_STALL_S

    def _note_stall(self) -> None:
        """Note since when the page takes nothing though its system is there."""
        if not is_stalled(self._transport.get_extra_info("socket"), blocked=self._blocked):
            self._stalled_since = None
        elif self._stalled_since is None:
            self._stalled_since = monotonic()

    # -- flow --------------------------------------------------------------------------------------------------------
    @property
    def _is_held_back(self) -> bool:
        """We read only while the peer takes what we write, the listener takes what it sends, and others have had their turn.

        After our close none listens.
        """
        if self._told_to_pause and self._state is State.OPEN:
            return True
        return (self._blocked or self._rests) and self._state in {State.OPEN, State.CLOSING}

    def _rest(self) -> None:
        """Leave the rest of what came for later, and let the kernel keep what else comes until all is read."""
        self._rests = True
        self._adjust_reading()
        self.in_turn(self._go_on)

    def _go_on(self) -> None:
        self._rests = False
        self.read_on()
        self._adjust_reading()

    def _adjust_reading(self) -> None:
        pause = self._is_held_back
        if pause == self._reading_paused or self._transport.is_closing():
            return
        self._reading_paused = pause
        if pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self.read_on)
