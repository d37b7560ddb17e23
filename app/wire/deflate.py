"""permessage-deflate (RFC 7692) without context takeover: each message stands alone, so one compressed frame serves every socket.

No socket keeps a window, neither ours nor the peer's, and a message tells nothing about the messages before it.
"""

import re
import zlib
from functools import lru_cache
from typing import Final

from app.wire.rfc6455 import BAD_DATA, TOO_BIG, ProtocolError

MIN_BYTES: Final = 256
"""Shorter messages are sent as they are: they would lose some 60 bytes, as much as the headers of their packet have, for 8 µs."""
WINDOW_BITS: Final = 12
"""Of what we compress: 4 KiB. Enough for all of a fragment of 2 KB, and what clients that want a small window ask for; 32 KiB would
save 2 % at 8 KB and 8 % at 16 KB."""

_LARGE_BYTES: Final = 32_768
"""Longer messages are compressed with level 1: 256 KiB, chosen to be slow, hold the loop for 4 ms; with level 6 it would be 22."""
_LEVEL: Final = 6
"""2 KB of HTML become 0.28 to 0.34 of it (tables, product cards, chat; prose 0.40) in 25 µs; with level 1 0.30 to 0.35 in 21 µs."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of a sync flush, which is not sent (7.2.1)."""
_END: Final = b"\x01\x00\x00\xff\xff"
"""A last block without content. Where a message is cut off, it is not read as such."""
_MAX_ENDS: Final = 8
"""Blocks in one message that are marked as the last (7.2.3.4). Each starts a new stream, which costs time, not bytes."""

_TAKEOVER: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
_BITS: Final = [str(bits) for bits in range(8, 16)]
_KNOWN: Final[dict[str, list[str | None]]] = {
    "server_no_context_takeover": [None],
    "client_no_context_takeover": [None],
    "server_max_window_bits": [*_BITS[_BITS.index(str(WINDOW_BITS)) :]],
    "client_max_window_bits": [None, *_BITS],
}
"""Parameters of an offer, and the values that we can take (7.1)."""

_CHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_WORD: Final = re.compile(rf'({_CHAR}+)(?:[ \t]*=[ \t]*({_CHAR}+|"(?:\\?{_CHAR})+"))?')
"""An extension, or a parameter of one. A quoted value is a token, too, once its quotes are gone (RFC 6455, 9.1)."""

Word = tuple[str, str | None]


@lru_cache(maxsize=64)  # browsers offer the same few texts
def negotiate(offered: str) -> str | None:
    """Our answer to the extensions that a client offers, both as the header has them; None: we take none of them.

    The first offer that we can keep is taken (5.1). One with an unknown, repeated or wrong parameter is declined, and so is one
    that wants a smaller window than ours (7.1.2.1): its frames could not be shared with others. Raises ValueError when the text is
    no list of extensions.
    """
    offers = [[_read(word) for word in offer.split(";")] for offer in offered.split(",") if offer.strip(" \t")]
    return next((answer for name, *parameters in offers if (answer := _answer(name, parameters)) is not None), None)


def _read(word: str) -> Word:
    found = _WORD.fullmatch(word.strip(" \t"))
    if found is None:
        raise ValueError("no list of extensions")
    return found[1], found[2] and found[2].strip('"').replace("\\", "")


def _answer(name: Word, parameters: list[Word]) -> str | None:
    given = dict(parameters)
    if name != ("permessage-deflate", None) or len(given) < len(parameters):
        return None
    if any(value not in _KNOWN.get(parameter, ()) for parameter, value in given.items()):
        return None
    return f"{_TAKEOVER}; server_max_window_bits={WINDOW_BITS}" if "server_max_window_bits" in given else _TAKEOVER


def deflate(payload: bytes) -> bytes:
    """The payload of a message, compressed (7.2.1)."""
    compressor = zlib.compressobj(_LEVEL if len(payload) <= _LARGE_BYTES else 1, zlib.DEFLATED, -WINDOW_BITS)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def inflate(data: bytes, max_bytes: int) -> bytes:
    """The payload of a compressed message (7.2.2). Never makes more than one byte over `max_bytes`, whatever the data claims.

    Raises ProtocolError: TOO_BIG, or BAD_DATA when it is not, or not wholly, what a compressor makes.
    """
    pieces, rest, left = [], data + _TAIL + _END, max_bytes
    for _ in range(_MAX_ENDS):
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            piece = inflater.decompress(rest, left + 1)
        except zlib.error:
            break
        if len(piece) > left:
            raise ProtocolError(TOO_BIG, f"a message may have {max_bytes} bytes")
        pieces.append(piece)
        left -= len(piece)
        rest = inflater.unused_data
        if not inflater.eof:
            break
        if not rest:
            return b"".join(pieces)
    raise ProtocolError(BAD_DATA, "invalid compressed data")
