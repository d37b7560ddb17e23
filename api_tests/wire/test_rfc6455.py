"""The protocol core: any split of the bytes gives the same messages, and what breaks the protocol has the right code."""

import os
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import rfc6455
from app.wire.rfc6455 import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameReader, Message, ProtocolError


def client_frame(opcode: int, payload: bytes, *, final: bool = True, mask: bytes | None = None, first: int = 0) -> bytes:
    """A frame as a browser sends it (RFC 6455, 5.2)."""
    mask = mask if mask is not None else os.urandom(4)
    size = len(payload)
    head = pack("!BB", (0x80 if final else 0) | first | opcode, 0x80 | (size if size < 126 else 126 if size < 65536 else 127))
    head += b"" if size < 126 else pack("!H", size) if size < 65536 else pack("!Q", size)
    return head + mask + rfc6455.unmask(payload, mask)


def read_all(reader: FrameReader) -> list[Message]:
    messages = []
    while (message := reader.next()) is not None:
        messages.append(message)
    return messages


messages = st.lists(
    st.one_of(
        st.tuples(st.just(TEXT), st.text(max_size=300)),
        st.tuples(st.just(BINARY), st.binary(max_size=300)),
        st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    ),
    max_size=6,
)


@given(messages, st.lists(st.integers(1, 200), max_size=30))
def test_any_split_of_the_bytes_gives_the_same_messages(sent: list[tuple[int, str | bytes]], cuts: list[int]) -> None:
    stream = b"".join(client_frame(opcode, data.encode() if isinstance(data, str) else data) for opcode, data in sent)
    reader, heard = FrameReader(10_000), []
    for size in [*cuts, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        reader.feed(piece)
        heard += read_all(reader)
    assert [Message(*one) for one in sent] == heard
    assert 0 == reader.held_bytes()


@given(st.binary(min_size=0, max_size=1_000), st.lists(st.integers(0, 200), max_size=5))
def test_fragments_become_one_message_with_control_frames_between(payload: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(payload)) for cut in cuts})
    pieces = [payload[a:b] for a, b in zip([0, *places], [*places, len(payload)], strict=True)]
    reader = FrameReader(10_000)
    for number, piece in enumerate(pieces):
        final = number == len(pieces) - 1
        reader.feed(client_frame(CONTINUATION if number else BINARY, piece, final=final))
        if not final:
            reader.feed(client_frame(PING, b"?"))
    assert [Message(PING, b"?")] * (len(pieces) - 1) + [Message(BINARY, payload)] == read_all(reader)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_every_form_of_the_header_is_read_and_written(size: int) -> None:
    payload = b"x" * size
    reader = FrameReader(100_000)
    reader.feed(client_frame(BINARY, payload))
    assert [Message(BINARY, payload)] == read_all(reader)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    frame = rfc6455.encode_frame(BINARY, payload)
    assert (head + size, 0x82, payload) == (len(frame), frame[0], frame[head:])


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_unmasking_twice_is_nothing(payload: bytes, mask: bytes) -> None:
    assert payload == rfc6455.unmask(rfc6455.unmask(payload, mask), mask)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x00", 1002),  # not masked
        (client_frame(TEXT, b"x", first=0x40), 1002),  # reserved bit
        (client_frame(3, b""), 1002),  # unknown opcode
        (client_frame(PING, b"", final=False), 1002),  # fragmented control frame
        (b"\x89\xfe\x00\x7e", 1002),  # a control frame of 126 bytes
        (client_frame(CONTINUATION, b"x"), 1002),  # nothing to continue
        (client_frame(TEXT, b"a", final=False) + client_frame(TEXT, b"b"), 1002),  # a continuation was due
        (client_frame(TEXT, b"\xff"), 1007),
        (client_frame(BINARY, b"x" * 101), 1009),
        (b"\x82\xff" + pack("!Q", 2**40), 1009),  # refused by its header alone
        (client_frame(BINARY, b"x" * 60, final=False) + client_frame(CONTINUATION, b"x" * 60), 1009),
    ],
)
def test_what_breaks_the_protocol_has_its_code(stream: bytes, code: int) -> None:
    reader = FrameReader(100)
    reader.feed(stream + b"\0" * 8)
    with pytest.raises(ProtocolError) as broken:
        read_all(reader)
    assert code == broken.value.code


def test_a_reader_can_be_stopped_between_two_messages() -> None:
    reader = FrameReader(100)
    reader.feed(client_frame(TEXT, b"a") * 40_000)
    assert Message(TEXT, "a") == reader.next()
    reader.feed(client_frame(TEXT, b"b"))
    rest = read_all(reader)
    assert (39_999, "b") == (len(rest) - 1, rest[-1].data)


@pytest.mark.parametrize(
    ("payload", "result"),
    [(b"", (1005, "")), (pack("!H", 1000), (1000, "")), (pack("!H", 4409) + "für".encode(), (4409, "für"))],
)
def test_a_close_frame_tells_code_and_reason(payload: bytes, result: tuple[int, str]) -> None:
    assert result == rfc6455.parse_close(payload)


@pytest.mark.parametrize(
    "payload", [b"\x03", pack("!H", 999), pack("!H", 1005), pack("!H", 1006), pack("!H", 2000), pack("!H", 5000)]
)
def test_a_code_that_may_not_be_on_the_wire_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="invalid close code"):
        rfc6455.parse_close(payload)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70_000])
def test_a_close_code_that_may_not_be_sent_is_refused(code: int):
    with pytest.raises(ValueError, match=f"{code} is no close code that may be sent"):
        rfc6455.encode_close(code)


def test_a_reason_that_cannot_be_encoded_is_sent_as_far_as_it_can_be():
    assert b"\x88\x05" + pack("!H", 4409) + b"a?b" == rfc6455.encode_close(4409, "a\ud800b")


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = rfc6455.encode_close(4409, "ü" * 100)
    assert (CLOSE, 2 + 122) == (frame[0] & 0x0F, frame[1])
    assert "ü" * 61 == frame[4:].decode()


@pytest.mark.parametrize("size", [200, 70_000])
def test_a_longer_header_may_come_in_two_pieces(size: int):
    reader = FrameReader(100_000)
    frame = client_frame(BINARY, b"x" * size)
    reader.feed(frame[:3])
    assert reader.next() is None
    reader.feed(frame[3:])
    assert [Message(BINARY, b"x" * size)] == read_all(reader)
