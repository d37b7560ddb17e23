"""permessage-deflate: which offers are taken, and that what is compressed is read again, alone, and never beyond its limit."""

import os
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.deflate import MIN_BYTES, WINDOW_BITS, deflate, inflate, negotiate
from app.wire.rfc6455 import BAD_DATA, TOO_BIG, ProtocolError

NAME = "permessage-deflate"
ANSWER = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
TWELVE = f"{ANSWER}; server_max_window_bits=12"


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (NAME, ANSWER),
        (f"{NAME}; client_max_window_bits", ANSWER),  # Chromium and Safari
        (f"{NAME}; client_max_window_bits=8", ANSWER),
        (f"{NAME}; server_no_context_takeover; client_no_context_takeover", ANSWER),
        (f"{NAME}; server_max_window_bits=12; client_max_window_bits=12", TWELVE),
        (f"{NAME}; server_max_window_bits=15", TWELVE),
        (f'{NAME};\tserver_max_window_bits = "1\\5" ;client_max_window_bits="10"', TWELVE),
        (f"x-one; a=b, {NAME}; later=1, , {NAME}", ANSWER),
        (f"{NAME}; server_max_window_bits=9, {NAME}; server_max_window_bits=13, {NAME}", TWELVE),
    ],
)
def test_the_first_offer_that_can_be_kept_is_taken(offered: str, answer: str) -> None:
    assert answer == negotiate(offered)


@pytest.mark.parametrize(
    "offered",
    [
        "",
        " ,\t, ",
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        f"{NAME}=1",
        *(
            f"{NAME}; {parameters}"
            for parameters in (
                "mux",
                "server_no_context_takeover=1",
                "client_no_context_takeover; client_no_context_takeover",
                "client_max_window_bits=12; client_max_window_bits=12",
                "client_max_window_bits=7",
                "client_max_window_bits=16",
                "client_max_window_bits=08",
                "server_max_window_bits",
                "server_max_window_bits=11",
                "server_max_window_bits=012",
                "server_max_window_bits=x",
            )
        ),
    ],
)
def test_an_offer_that_cannot_be_kept_is_declined(offered: str) -> None:
    assert negotiate(offered) is None


@pytest.mark.parametrize(
    "offered",
    [
        f"{NAME};",
        f"{NAME}; ; client_max_window_bits",
        f"{NAME}; client_max_window_bits=",
        f'{NAME}; client_max_window_bits="12',
        f'{NAME}; client_max_window_bits=""',
        f'{NAME}; client_max_window_bits="1,2"',
        f"{NAME} client_max_window_bits",
        f"{NAME}, ä",
        '"' + "\\" * 50_000,
    ],
)
def test_what_is_no_list_of_extensions_is_an_error(offered: str) -> None:
    with pytest.raises(ValueError, match="no list of extensions"):
        negotiate(offered)


@pytest.mark.parametrize(
    "data",
    ["f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000", "f248050000 00ffff cac9c90700"],
    ids=["compressed", "stored", "marked as the last", "two blocks"],
)
def test_the_examples_of_the_rfc_are_read(data: str) -> None:
    assert b"Hello" == inflate(bytes.fromhex(data), 5)


@given(st.one_of(st.binary(max_size=5_000), st.text(max_size=2_000).map(str.encode)))
def test_what_was_compressed_is_read_again(payload: bytes) -> None:
    assert payload == inflate(deflate(payload), len(payload))


@pytest.mark.parametrize("payload", [b"", b"x" * 100_000, os.urandom(20_000), b"<td>price</td>" * 5_000], ids=len)
def test_a_message_is_read_with_the_window_that_was_agreed_on_and_nothing_of_earlier_ones(payload: bytes) -> None:
    for _ in range(2):
        reader = zlib.decompressobj(-WINDOW_BITS)
        assert payload == reader.decompress(deflate(payload) + b"\x00\x00\xff\xff")


@given(st.binary(max_size=2_000), st.integers(0, 9), st.sampled_from([-9, -12, -15]), st.booleans())
def test_messages_of_any_compressor_are_read(payload: bytes, level: int, window_bits: int, ends: bool) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, window_bits)
    data = compressor.compress(payload)
    data += compressor.flush() + b"\x00" if ends else compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert payload == inflate(data, 2_000)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=7))
def test_a_message_may_go_on_behind_a_block_that_is_marked_as_the_last(pieces: list[bytes]) -> None:
    data = b"".join(zlib.compress(piece, wbits=-15) for piece in pieces) + b"\x00"
    assert b"".join(pieces) == inflate(data, 1_000)


def test_a_message_of_just_the_limit_is_read_and_one_byte_more_is_not() -> None:
    assert b"x" * 1_024 == inflate(deflate(b"x" * 1_024), 1_024)
    with pytest.raises(ProtocolError) as refused:
        inflate(deflate(b"x" * 1_025), 1_024)
    assert TOO_BIG == refused.value.code


@pytest.mark.parametrize("streams", [1, 7])
def test_a_bomb_costs_no_more_memory_than_a_message_may(streams: int) -> None:
    bomb = zlib.compress(b"x" * 9_000, wbits=-15) * (streams - 1) + zlib.compress(bytes(50_000_000), wbits=-15)
    assert len(bomb) < 65_536
    tracemalloc.start()
    with pytest.raises(ProtocolError) as refused:
        inflate(bomb, 65_536)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert TOO_BIG == refused.value.code
    assert peak_bytes < 500_000


LONG = deflate(os.urandom(200) + b"x" * 500)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xff\xff", b"\x07", LONG[:100], LONG[:-1], LONG + b"\xff", zlib.compress(b"x"), b"\x03\x00" * 30_000],
    ids=["empty", "noise", "unknown block", "half", "all but a byte", "more", "with a zlib header", "30,000 ends"],
)
def test_what_no_compressor_makes_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        inflate(data, 65_536)
    assert BAD_DATA == refused.value.code


@given(st.binary(max_size=300))
def test_noise_is_read_within_the_limit_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):  # and no other error
        assert len(inflate(data, 1_024)) <= 1_024


def test_what_is_large_is_compressed_in_a_hurry() -> None:
    """With level 6 a text of two letters takes eight times as long as with level 1."""
    payload = b"".join(b"ab"[bit >> 7 : (bit >> 7) + 1] for bit in os.urandom(32_768))
    fast, thorough = (zlib.compressobj(level, zlib.DEFLATED, -WINDOW_BITS) for level in (1, 6))
    assert len(thorough.compress(payload) + thorough.flush(zlib.Z_SYNC_FLUSH)) - 4 == len(deflate(payload))
    payload += b"a"
    assert len(fast.compress(payload) + fast.flush(zlib.Z_SYNC_FLUSH)) - 4 == len(deflate(payload))


def test_a_fragment_of_html_becomes_a_third() -> None:
    rows = "".join(
        f"<tr id='order-{n * n}'><td class='name'>Ada {n}</td><td class='price'>{n * 17}.50</td></tr>" for n in range(30)
    )
    payload = f"<table class='orders'>{rows}</table>".encode()[:2_048]
    assert (2_048, True) == (len(payload), len(deflate(payload)) <= 0.35 * 2_048)
    assert MIN_BYTES < 2_048
