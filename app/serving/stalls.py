"""Who takes nothing, and why: a page that sleeps is waited for, a peer that is gone is not. The system's TCP knows which it is.

While a page reads nothing, its system still answers: it says again and again that it has no room. From a phone that has lost its
network nothing comes at all. The heartbeat cannot tell one from the other, as its ping waits behind what is not read.
"""

import struct
import sys
from socket import IPPROTO_TCP
from typing import Any, NamedTuple

MAX_STALL_S = 60.0
"""Seconds for which a page may take nothing, from when that was noticed: by the heartbeat, or when we close it."""

_IS_TOLD = sys.platform == "linux"
_TCP_INFO = 11
_FIELDS = struct.Struct("=2xBB4xI12xI16xI8xI84xI")
"""Of `struct tcp_info` (linux/tcp.h) what `Tcp` has: the bytes 2, 3, 8 to 11, 24 to 27, 44 to 47, 56 to 59 and 144 to 147."""
_IN_FLIGHT_MS = 1_000
"""What was sent so short a time ago may have its answer on the way."""
_MAX_SILENCE = 0.6
"""Of the time after which the system sends again, which it doubles each time. Where it has just done so, an answer to the time
before is half as old; of a peer that is gone the last word is three quarters as old, or more."""


class Tcp(NamedTuple):
    """What the system knows about one connection."""

    retries: int
    """How often the same was sent again, in a row, without being acknowledged."""
    probes: int
    """Questions after room, in a row, that were not answered."""
    retry_us: int
    """Microseconds after which it is sent again next."""
    unanswered: int
    """Segments that were not acknowledged."""
    sent_ms: int
    """Milliseconds since bytes were last sent, also again; questions after room have none."""
    heard_ms: int
    """Milliseconds since anything was last acknowledged."""
    unsent_bytes: int
    """Bytes that wait for room at the peer, or in the network."""

    @property
    def is_answered(self) -> bool:
        """Whether the peer's system is there.

        The time since its last word says little, as a system without room is asked ever more rarely: after a minute of it every
        half minute. So what counts is whether its last word is younger than our last question; or, where the answer to that may be
        on its way, than the question before.
        """
        if self.unanswered:
            return self.heard_ms <= self.sent_ms or (self.sent_ms < _IN_FLIGHT_MS and self._was_answered_before)
        return self.probes <= 1  # the last one may have its answer on the way

    @property
    def _was_answered_before(self) -> bool:
        """Whether there was an answer between the last two times that the same was sent; once may be chance."""
        return self.retries <= 1 or self.heard_ms - self.sent_ms < _MAX_SILENCE * self.retry_us / 1_000


def tcp_of(sock: Any) -> Tcp | None:
    """What the system knows about this socket. None: it does not tell, as of sockets in the file system. 3 µs."""
    if not _IS_TOLD:
        return None
    try:
        told = sock.getsockopt(IPPROTO_TCP, _TCP_INFO, _FIELDS.size)
    except OSError:
        return None
    return Tcp._make(_FIELDS.unpack(told)) if len(told) == _FIELDS.size else None  # Linux before 4.6 tells less


def is_stalled(sock: Any, *, blocked: bool) -> bool:
    """Whether the page takes nothing while its system is there. `blocked`: bytes wait already before the kernel."""
    tcp = tcp_of(sock)
    return tcp is not None and (blocked or tcp.unsent_bytes > 0) and tcp.is_answered
