"""What happens to thousands of sockets at once is told in stretches.

When a proxy dies, all sockets behind it end in one turn of the loop, and what their ends bring about takes 30 µs each: 10,000 held
the loop for 300 ms.
"""

from typing import Any

from app.kernel.stretches import Stretches
from app.serving.shared import one_per_server

MAX_HOLD_S = 0.005
"""Seconds of calls in one turn of the loop."""
MAX_READING_S = 0.002
"""Of these for sockets that say much, all together: as much as one of them may have by itself."""


@one_per_server
def stretches_of(_config: Any) -> Stretches:
    """Those of this server, for all but reading."""
    return Stretches(MAX_HOLD_S)


@one_per_server
def reading_of(_config: Any) -> Stretches:
    """Where sockets that say much wait for their next turn: all of them together have one stretch, however many they are."""
    return Stretches(MAX_READING_S)
