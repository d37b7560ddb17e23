"""Ids. Those of things sort by the time they were made."""

import secrets
from datetime import datetime
from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562, 5.7): later ones sort after earlier ones, also within one millisecond of one process."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def new_short_id() -> str:
    """A UUIDv7 as 32 hexadecimal digits, for ids that live in memory and in URLs."""
    return uuid_utils.uuid7().hex


def new_node_id() -> str:
    """The name of one process among those of a cluster, in its life: 8 hexadecimal digits. It is in log lines and lists."""
    return secrets.token_hex(4)


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 that can be made at this moment: ids of later things are not smaller. Before 1970 none can be."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)
