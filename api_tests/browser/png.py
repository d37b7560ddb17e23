"""Small pictures for the docs: a screenshot's PNG (RFC 2083), written anew with a palette of 256 colours."""

import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
MAX_BYTES: Final = 150_000
"""Of one picture: whoever clones the repository takes all of them along, in every version."""

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
COLOURS: Final = 256
RGB: Final = {2: 3, 6: 4}
"""Bytes of a pixel by colour type: with or without alpha, which screenshots do not use."""

Colour = tuple[int, int, int]


def keep(name: str, png: bytes) -> None:
    """Put a screenshot among the pictures of the docs, and say how large it is."""
    picture = small(png)
    (FOLDER / name).write_bytes(picture)
    sys.stdout.write(f"{name}: {len(picture):,} bytes\n")
    if len(picture) > MAX_BYTES:
        sys.exit(f"{name} is larger than {MAX_BYTES:,} bytes")


def small(png: bytes) -> bytes:
    """The same picture in at most 256 colours: those that it has most of; each other becomes the one of these that is nearest."""
    chunks = dict(_chunks(png))
    width, height, _, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    rows = [_pixels(row, RGB[kind]) for row in _rows(zlib.decompress(chunks[b"IDAT"]), height, RGB[kind])]
    counted = Counter(pixel for row in rows for pixel in row)
    palette = [colour for colour, _ in counted.most_common(COLOURS)]
    index = {colour: min(range(len(palette)), key=lambda place: _distance(palette[place], colour)) for colour in counted}
    lines = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in rows)
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            (b"PLTE", b"".join(map(bytes, palette))),
            (b"IDAT", zlib.compress(lines, 9)),
            (b"IEND", b""),
        )
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks by name, those of the pixels as one."""
    place, pixels = len(SIGNATURE), b""
    while place < len(png):
        (length,), name = struct.unpack_from(">I", png, place), png[place + 4 : place + 8]
        body = png[place + 8 : place + 8 + length]
        pixels += body if name == b"IDAT" else b""
        yield name, pixels if name == b"IDAT" else body
        place += 12 + length


def _rows(data: bytes, height: int, step: int) -> Iterator[bytes]:
    """The rows without their filters (section 6)."""
    length = len(data) // height
    above = bytes(length - 1)
    for start, end in pairwise(range(0, len(data) + 1, length)):
        row = bytearray(data[start + 1 : end])
        _unfilter(data[start], row, above, step)
        above = bytes(row)
        yield above


def _unfilter(kind: int, row: bytearray, above: bytes, step: int) -> None:
    for place in range(len(row) if kind else 0):
        left, corner = (row[place - step], above[place - step]) if place >= step else (0, 0)
        match kind:
            case 1:
                guess = left
            case 2:
                guess = above[place]
            case 3:
                guess = (left + above[place]) // 2
            case _:
                guess = _paeth(left, above[place], corner)
        row[place] = (row[place] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((abs(estimate - left), 0, left), (abs(estimate - up), 1, up), (abs(estimate - corner), 2, corner))[2]


def _pixels(row: bytes, step: int) -> list[Colour]:
    return list(zip(row[::step], row[1::step], row[2::step], strict=True))


def _distance(one: Colour, other: Colour) -> int:
    return sum((mine - theirs) ** 2 for mine, theirs in zip(one, other, strict=True))
