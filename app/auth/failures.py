"""Keys that are none of ours, by the address that sent them: who guesses is slowed down, and costs no more look-ups.

A good key is never refused for what others of its address do: behind one proxy all have the same. While an address is over its
limit, only ids that there are are looked up for it; those are read all at once, once a second at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from ipaddress import IPv6Address, ip_address
from typing import Final

from app.kernel.bucket import Bucket
from app.kernel.clock import monotonic
from app.kernel.errors import RateLimited

MAX_ADDRESSES: Final = 10_000
"""Addresses that are remembered; past it the one that began first is forgotten."""
RENEW_S: Final = 1.0
"""Seconds for which the ids that there are are believed: a new key may have to wait so long."""

_NETWORK_BITS: Final = 64
"""Of an IPv6 address: what follows is its owner's to choose."""


class Failures:
    """Counts failed tries: `per_min` of each address, and as many at once. `find_ids` tells the ids of all keys that there are."""

    def __init__(self, find_ids: Callable[[], Awaitable[Collection[str]]], per_min: int) -> None:
        self._find_ids = find_ids
        self._burst = per_min
        self._per_s = per_min / 60
        self.of: dict[str, Bucket] = {}
        """By network, as far as one has failed."""
        self._ids: Collection[str] = ()
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()

    def failed(self, address: str) -> None:
        """Count a failed try. Raises RateLimited when it was one too many."""
        network = network_of(address)
        bucket = self.of.get(network)
        if bucket is None:
            if len(self.of) >= MAX_ADDRESSES:
                del self.of[next(iter(self.of))]
            bucket = self.of[network] = Bucket(self._burst)
        if not bucket.take(self._per_s, self._burst):
            message = (
                f"more than {self._burst} tries a minute with keys that are none, from this address (WSX_API_RATE_PER_MIN); "
                "a valid key is let in"
            )
            raise RateLimited(message, retry_after_s=bucket.left(self._per_s)[1])

    async def only(self, address: str) -> Collection[str] | None:
        """The ids that may be looked up for this address; None: all."""
        bucket = self.of.get(network_of(address))
        if bucket is None or not bucket.refused_in_a_row:
            return None
        async with self._renewing:
            if monotonic() >= self._renew_at:
                self._ids = await self._find_ids()
                self._renew_at = monotonic() + RENEW_S
        return self._ids


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the network of a customer. What is no address stays as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{int(found) >> _NETWORK_BITS:x}::"
    return str(found)
