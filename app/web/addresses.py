"""How many sockets one address may open: so many handshakes at once, and so many a second for long."""

from functools import lru_cache
from typing import Final

import structlog

from app.kernel.addresses import as_address, network_of
from app.kernel.bucket import Buckets
from app.kernel.clock import monotonic
from app.kernel.errors import AppError

MAX_ADDRESSES: Final = 20_000
"""Addresses that are remembered, some 5 MiB; the one that was silent for longest goes first."""
TOLD_EVERY_S: Final = 60.0
"""Seconds between two lines of the log about addresses over the limit."""

_log = structlog.get_logger()


class TooManyHandshakes(AppError):
    """This address opens more sockets than one address may."""

    code, status, title = "too_many_handshakes", 429, "Too many connections"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": "1"}


class HandshakeLimit:
    """Counts handshakes by address, refused ones too. Those from this machine are not counted: it is the operator, or a proxy."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._buckets = Buckets(burst, MAX_ADDRESSES)
        self._told_at = -TOLD_EVERY_S

    def check(self, address: str) -> None:
        """Count one. Raises TooManyHandshakes."""
        name = counted_as(address)
        if name is None:
            return
        if not self._buckets.to_take_from(name).take(self._rate_per_s, self._burst):
            self._tell(name)
            message = "too many handshakes from this address (WSX_HANDSHAKE_RATE_PER_S, WSX_HANDSHAKE_BURST)"
            raise TooManyHandshakes(message)

    def _tell(self, name: str) -> None:
        now = monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            _log.warning("too many handshakes from one address; if it is a proxy, list it in WSX_TRUSTED_PROXIES", address=name)


@lru_cache(maxsize=1_024)  # pages come back: 3 µs of each connect
def counted_as(address: str) -> str | None:
    """What stands for all addresses of one client; None: it is this machine's, or none is known."""
    known = as_address(address)
    return None if known is None or known.is_loopback else network_of(address)
