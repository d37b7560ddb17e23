"""Frames that break the protocol or its limits, and the code that each is closed with."""

import struct
import zlib
from typing import NamedTuple

from api_tests.serving.raw import frame
from app.settings import Settings
from app.wire.rfc6455 import BINARY, CONTINUATION, PING, RSV1, TEXT

LIMIT = Settings().max_message_bytes
BOMB_BYTES = 50_000_000


def _claims(size: int) -> bytes:
    """The header of a masked text of this size, and its first bytes."""
    return struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, size) + b"\0\0\0\0" + b"x" * 1_000


def _bomb() -> bytes:
    """50 kB that become 50 MB."""
    deflate = zlib.compressobj(9, wbits=-15)
    data = deflate.compress(b"x" * BOMB_BYTES) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return frame(TEXT, data.removesuffix(b"\0\0\xff\xff"), reserved=RSV1)


class Nasty(NamedTuple):
    """What is sent, behind a handshake that has negotiated compression."""

    name: str
    data: bytes
    code: int


NASTY = (
    Nasty("one byte over the limit", frame(TEXT, b"x" * (LIMIT + 1)), 1009),
    Nasty("2^40 bytes claimed", _claims(2**40), 1009),
    Nasty("2^63 - 1 bytes claimed", _claims(2**63 - 1), 1009),
    Nasty("fragments over the limit", frame(TEXT, b"x" * LIMIT, final=False) + frame(CONTINUATION, b"x"), 1009),
    Nasty("fragments without content", frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 2_000, 1009),
    Nasty("a bomb", _bomb(), 1009),
    Nasty("bad UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
    Nasty("a surrogate in UTF-8", frame(TEXT, b"\xed\xa0\x80"), 1007),
    Nasty("no compressed data", frame(TEXT, b"\xff" * 50, reserved=RSV1), 1007),
    Nasty("not masked", frame(TEXT, b"x", masked=False), 1002),
    Nasty("reserved bits", frame(BINARY, b"x", reserved=0x30), 1002),
    Nasty("a reserved opcode", frame(3, b"x"), 1002),
    Nasty("a ping of 126 bytes", frame(PING, b"x" * 126), 1002),
    Nasty("a ping in fragments", frame(PING, b"x", final=False), 1002),
    Nasty("a continuation of nothing", frame(CONTINUATION, b"x"), 1002),
)
