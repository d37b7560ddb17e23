"""What stands in Redis of one user on one node, and how nodes tell each other that it has changed."""

from collections.abc import Sequence

import msgspec

GONE = -1
"""In place of a number of connections: nothing stands there any more."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A user on one node."""

    connections: int
    """0: the grace runs."""
    since: float | None
    """When the last connection ended, in seconds since 1970; None: there is one."""
    name: str = ""
    roles: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, array_like=True):
    """Some users of a node, as they are now. Each is told whole, so that telling it twice is no harm."""

    life: str
    """Of which node, in which of its lives."""
    version: int
    """One more than in the change before."""
    users: Sequence[tuple[str, int, float | None]]
    """Id, connections or GONE, since when there are none."""


encode = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(Record).decode
decode_change = msgspec.msgpack.Decoder(Change).decode
