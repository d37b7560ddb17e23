"""Compressed messages as frames: those we write are made once for all, those we read obey the same rules as plain ones."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_tests.compressions import noted_compressions
from api_tests.serving.raw import frame
from app.wire.deflate import MIN_BYTES, deflate, inflate
from app.wire.prepared import Prepared
from app.wire.rfc6455 import BINARY, CONTINUATION, PING, RSV1, TEXT, FrameReader, Message, ProtocolError, encode_frame

HTML = b"<li class='item'>one</li>" * 40


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return noted_compressions(monkeypatch)


def test_a_message_is_compressed_when_it_is_asked_for_and_marked_as_such(compressions: list[bytes]) -> None:
    message = Prepared(HTML)
    assert ([], None) == (compressions, message.compressed)
    compressed = message.compress()
    assert ([HTML], compressed) == (compressions, message.compressed)
    assert encode_frame(TEXT | RSV1, deflate(HTML)) == compressed
    assert (0xC1, encode_frame(TEXT, HTML)) == (compressed[0], message.data)


@pytest.mark.parametrize(
    ("payload", "tries"),
    [(b"x" * (MIN_BYTES - 1), 0), (b"", 0), (os.urandom(MIN_BYTES), 1)],
    ids=["short", "empty", "does not get shorter"],
)
def test_what_would_gain_nothing_stays_plain(compressions: list[bytes], payload: bytes, tries: int) -> None:
    message = Prepared(payload)
    assert message.compress() is message.data
    assert message.compressed is message.data
    assert tries == len(compressions)


def test_joined_messages_are_compressed_one_by_one_and_none_of_them_twice(compressions: list[bytes]) -> None:
    parts = [Prepared(HTML), Prepared(b"short"), Prepared(HTML + HTML)]
    first = parts[0].compress()
    for messages in (parts, [Prepared.joined(parts[:2]), parts[2]]):
        assert first + parts[1].data + encode_frame(TEXT | RSV1, deflate(HTML + HTML)) == Prepared.joined(messages).compress()
    assert [HTML, HTML + HTML] == compressions


compressed_messages = st.lists(st.tuples(st.text(max_size=300).map(str.encode), st.booleans()), max_size=6)


@given(compressed_messages, st.lists(st.integers(1, 200), max_size=30))
def test_plain_and_compressed_messages_come_whole_however_they_are_cut(sent: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    stream = b"".join(frame(TEXT, deflate(text) if yes else text, reserved=RSV1 if yes else 0) for text, yes in sent)
    reader, heard = FrameReader(10_000, inflate), []
    for size in [*cuts, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        reader.feed(piece)
        heard += list(iter(reader.next, None))
    assert [Message(TEXT, text.decode()) for text, _ in sent] == heard


@given(st.binary(max_size=1_000), st.lists(st.integers(0, 200), max_size=5))
def test_a_compressed_message_may_come_in_fragments_with_control_frames_between(payload: bytes, cuts: list[int]) -> None:
    data = deflate(payload)
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    reader = FrameReader(10_000, inflate)
    for number, piece in enumerate(pieces):
        opcode, mark, final = (CONTINUATION, 0, number == len(pieces) - 1) if number else (BINARY, RSV1, len(pieces) == 1)
        reader.feed(frame(opcode, piece, final=final, reserved=mark))
        if not final:
            reader.feed(frame(PING, b"?"))
    reader.feed(frame(TEXT, b"plain"))
    expected = [Message(PING, b"?")] * (len(pieces) - 1) + [Message(BINARY, payload), Message(TEXT, "plain")]
    assert expected == list(iter(reader.next, None))


BOMB = deflate(bytes(1_000_000))


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(TEXT, b"x", final=False, reserved=RSV1) + frame(CONTINUATION, b"y", reserved=RSV1), 1002),
        (frame(PING, b"x", reserved=RSV1), 1002),
        (frame(TEXT, deflate(b"x"), reserved=RSV1 | 0x20), 1002),
        (frame(TEXT, deflate(b"x"), reserved=0x10), 1002),
        (frame(TEXT, b"never compressed", reserved=RSV1), 1007),
        (frame(TEXT, deflate(b"\xff"), reserved=RSV1), 1007),
        (frame(TEXT, BOMB, reserved=RSV1), 1009),
        (frame(BINARY, BOMB[:500], final=False, reserved=RSV1) + frame(CONTINUATION, BOMB[500:]), 1009),
        (frame(BINARY, os.urandom(2_001), reserved=RSV1), 1009),
    ],
    ids=[
        *("marked continuation", "marked ping", "two bits", "another bit", "not compressed", "no UTF-8"),
        *("bomb", "bomb in two pieces", "too big as it is"),
    ],
)
def test_what_breaks_the_rules_of_compression_has_its_code(stream: bytes, code: int) -> None:
    reader = FrameReader(2_000, inflate)
    reader.feed(stream)
    with pytest.raises(ProtocolError) as broken:
        list(iter(reader.next, None))
    assert code == broken.value.code


def test_nothing_is_taken_as_compressed_that_was_not_negotiated() -> None:
    reader = FrameReader(2_000)
    reader.feed(frame(TEXT, deflate(b"x"), reserved=RSV1))
    with pytest.raises(ProtocolError, match="reserved bits") as broken:
        reader.next()
    assert 1002 == broken.value.code
