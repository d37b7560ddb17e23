"""Who sends as fast as it can holds the loop for nobody else, and costs a bounded memory."""

from collections import Counter
from contextlib import AsyncExitStack
from statistics import median

import pytest

from api_tests.serving.raw import Ear, detaching, frame, serving
from api_tests.serving.test_stretches import Turns
from api_tests.waiting import eventually
from app.serving import protocol, stretches
from app.serving.protocol import WsxProtocol
from app.wire.rfc6455 import FrameReader, Message

TEXT, PING, PONG = 1, 9, 10
READ_BYTES = 262_144
"""What uvloop takes from the kernel at once."""


class Frames:
    """Notes for each frame in which turn of the loop it was handled, and how many bytes waited behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns = Turns()
        self.per_turn: Counter[int] = Counter()
        self.most_held = 0
        handle = WsxProtocol._handle

        def note(socket: WsxProtocol, message: Message) -> None:
            self.per_turn[self.turns.now] += 1
            if socket._reader is not None:
                self.most_held = max(self.most_held, socket._reader.held_bytes())
            handle(socket, message)

        monkeypatch.setattr(WsxProtocol, "_handle", note)


@pytest.mark.parametrize("opcode", [PING, PONG, TEXT])
async def test_one_socket_has_few_frames_in_a_turn_of_the_loop_and_the_kernel_keeps_the_others(
    opcode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MAX_HOLD_S", 0.0)  # each frame takes longer
    monkeypatch.setattr(stretches, "MAX_READING_S", 1e-6)
    frames, ear = Frames(monkeypatch), Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.send(frame(opcode, b"x" * 125) * 8_000)
        await eventually(lambda: 8_000 == frames.per_turn.total())
        peer.send(frame(TEXT, b"the last"))
        await eventually(lambda: ["the last"] == ear.heard[-1:])
    frames.turns.stop()
    assert max(frames.per_turn.values()) <= 2
    assert frames.most_held <= 2 * READ_BYTES


async def test_many_who_flood_have_no_more_of_a_turn_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_HOLD_S", 0.0)  # each frame takes longer
    monkeypatch.setattr(stretches, "MAX_READING_S", 1e-6)
    frames = Frames(monkeypatch)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(detaching(Ear())))
        peers = [await stack.enter_async_context(server.peer()) for _ in range(30)]
        for peer in peers:
            await peer.open()
        for peer in peers:
            peer.send(frame(PING) * 100)
        await eventually(lambda: 30 * 100 == frames.per_turn.total())
    frames.turns.stop()
    assert median(frames.per_turn.values()) <= 3


async def test_what_comes_behind_our_close_for_abuse_is_thrown_away_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, ear = Frames(monkeypatch), Ear()
    ear.on_message = lambda _message: ear.sink.close(4429, "too many messages")
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        peer.send(frame(TEXT, b"x") * 20_000)
        assert (4429, "too many messages") == (await peer.frame()).close
        peer.send(frame(TEXT, b"x") * 20_000)
        assert b"" == await peer.ended()
        peer.writer.close()
        await eventually(lambda: [(4429, "too many messages")] == ear.ends)
    frames.turns.stop()
    assert 1 == frames.per_turn.total()


async def test_fragments_without_content_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = Counter[str]()
    next_frame = FrameReader._next_frame

    def count(reader: FrameReader) -> tuple[int, bytes] | None:
        found = next_frame(reader)
        fed["frames"] += found is not None
        return found

    monkeypatch.setattr(FrameReader, "_next_frame", count)
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.send(frame(TEXT, b"x", final=False) + frame(0, final=False) * 20_000)
        assert (1009, "a message may have 1024 fragments") == (await peer.frame()).close
    assert 1_025 == fed["frames"]
