"""Frames that come in, and how a connection ends, byte by byte."""

import asyncio
import struct
from collections.abc import Callable

import pytest

from api_tests.serving.raw import Ear, Frame, close_frame, detaching, frame, serving
from api_tests.waiting import eventually
from app.serving import protocol, sink

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def test_messages_come_whole_and_in_order():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.send(frame(TEXT, b"a", final=False) + frame(PING, b"are you there") + frame(0, b"b", final=False))
        peer.send(frame(0, b"c") + frame(BINARY, b"\x00\xff") + frame(PONG, b"ignored") + frame(TEXT, "é".encode()))
        assert Frame(PONG, b"are you there") == await peer.frame()
        await eventually(lambda: len(ear.heard) == 3)
        assert ["abc", b"\x00\xff", "é"] == ear.heard


async def test_a_message_may_come_byte_by_byte():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        for byte in frame(TEXT, b"slowly"):
            peer.send(bytes((byte,)))
            await peer.writer.drain()
            await asyncio.sleep(0.001)
        await eventually(lambda: ear.heard == ["slowly"])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(TEXT, b"x", reserved=0x40), 1002),
        (frame(3), 1002),
        (frame(0, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (close_frame(1005), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        (frame(TEXT, b"x" * 70_000), 1009),
        (b"\x82\xff" + struct.pack("!Q", 2**40) + b"mask", 1009),
    ],
    ids=[
        *("not masked", "reserved bit", "opcode", "nothing to continue", "long ping", "code 1005", "one byte of a code"),
        *("no UTF-8", "reason no UTF-8", "too big", "claims a terabyte"),
    ],
)
async def test_what_breaks_the_protocol_is_told_why_and_ends(data: bytes, code: int):
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.send(data)
        told, why = (await peer.frame()).close
        assert code == told
        assert b"" == await peer.ended()
        peer.writer.close()
        await eventually(lambda: ear.ends)
    assert [(code, why)] == ear.ends
    assert [] == ear.heard
    assert [code] == ear.broken_by


async def test_a_claimed_terabyte_costs_no_memory_nor_does_what_came_before_it():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        (socket,) = server.sockets
        peer.send(frame(TEXT, b"x" * 60_000, final=False))
        peer.send(b"\x00\xff" + struct.pack("!Q", 2**40) + b"mask")
        assert (1009, "a message may have 65536 bytes") == (await peer.frame()).close
        assert socket._reader is None


@pytest.mark.parametrize(
    ("sent", "answer", "told"),
    [
        (close_frame(1000), struct.pack("!H", 1000), (1000, "")),
        (close_frame(4000, "böse"), struct.pack("!H", 4000), (4000, "böse")),
        (frame(CLOSE), b"", (1005, "")),
    ],
)
async def test_a_peer_s_close_is_answered_with_its_code(sent: bytes, answer: bytes, told: tuple[int, str]):
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.send(sent + frame(TEXT, b"behind the end"))
        assert Frame(CLOSE, answer) == await peer.frame()
        assert b"" == await peer.ended()
        await eventually(lambda: ear.ends)
    assert ([told], []) == (ear.ends, ear.heard)


async def test_our_close_waits_for_the_peer_s_and_hears_nothing_more():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        ear.sink.close(4409, "closed by the back office")
        ear.sink.close(1000, "a second close changes nothing")
        assert (4409, "closed by the back office") == (await peer.frame()).close
        peer.send(frame(TEXT, b"crossing") + frame(PING) + close_frame(4409))
        assert b"" == await peer.ended()
        await eventually(lambda: ear.ends)
    assert ([(4409, "closed by the back office")], []) == (ear.ends, ear.heard)


@pytest.mark.parametrize("data", [b"", frame(TEXT, b"x", masked=False)], ids=["silent", "breaks the protocol"])
async def test_a_peer_that_does_not_answer_a_close_is_cut(monkeypatch: pytest.MonkeyPatch, data: bytes):
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 0.1)
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        ear.sink.close(1000, "")
        assert 1000 == (await peer.frame()).close[0]
        peer.send(data)
        await eventually(lambda: ear.ends == [(1000, "")])


async def test_a_peer_that_is_gone_is_told_as_1006():
    ear = Ear()
    async with serving(detaching(ear)) as server:
        async with server.peer() as peer:
            await peer.open()
        await eventually(lambda: ear.ends == [(1006, "")])
        assert [] == server.sockets
        ear.sink.abort()
        ear.sink.close(1000, "")
    assert 1 == len(ear.ends)


async def test_a_listener_that_wants_no_more_is_given_no_more(monkeypatch: pytest.MonkeyPatch):
    """One read can hold thousands of tiny messages; what is here already waits too."""
    ear = Ear()
    ear.on_message = lambda _message: ear.sink.pause() if len(ear.heard) == 3 else None
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(5_000)))
        await eventually(lambda: len(ear.heard) == 3)
        await asyncio.sleep(0.05)
        assert ["0", "1", "2"] == ear.heard
        ear.on_message = lambda _message: None
        ear.sink.resume()
        await eventually(lambda: len(ear.heard) == 5_000)
        ear.sink.pause()
        ear.sink.resume()
        peer.send(frame(TEXT, b"last"))
        await eventually(lambda: ear.heard[-1] == "last")
    assert [*map(str, range(5_000)), "last"] == ear.heard


async def test_a_listener_that_fails_ends_its_own_socket_and_no_other(caplog: pytest.LogCaptureFixture):
    def fail(_message: str | bytes) -> None:
        raise ValueError("the listener is broken")

    ears: list[Ear] = []

    async def app(scope, receive, send) -> None:
        ears.append(Ear())
        await detaching(ears[-1])(scope, receive, send)

    async with serving(app) as server, server.peer() as one, server.peer() as other:
        await one.open()
        await other.open()
        ears[0].on_message = fail
        one.send(frame(TEXT, b"x"))
        other.send(frame(TEXT, b"x"))
        assert (1011, "") == (await one.frame()).close
        await eventually(lambda: ears[1].heard == ["x"])
        one.writer.close()
        await eventually(lambda: ears[0].ends == [(1011, "")])
        assert [] == ears[1].ends
    assert "the listener is broken" in caplog.text


async def test_a_listener_that_fails_at_the_end_harms_nobody(caplog: pytest.LogCaptureFixture):
    class Broken(Ear):
        def closed(self, code: int, reason: str) -> None:
            super().closed(code, reason)
            raise ValueError("broken at the end")

    ear = Broken()
    async with serving(detaching(ear)) as server:
        async with server.peer() as peer:
            await peer.open()
        await eventually(lambda: ear.ends)
    assert "broken at the end" in caplog.text


async def test_open_sockets_are_told_of_a_restart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "SHUTDOWN_TIMEOUT_S", 0.2)
    ears = [Ear(), Ear()]
    waiting = iter(ears)

    async def app(scope, receive, send) -> None:
        await detaching(next(waiting))(scope, receive, send)

    async with serving(app) as server, server.peer() as polite, server.peer() as silent:
        await polite.open()
        await silent.open()
        server.server.should_exit = True
        assert (1012, "restarting") == (await polite.frame()).close
        polite.send(close_frame(1012))
        await eventually(lambda: all(ear.ends == [(1012, "restarting")] for ear in ears))


async def test_a_flood_of_pings_by_a_peer_that_reads_nothing_is_not_answered_in_memory(logged: Callable[[], str]):
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        (socket,) = server.sockets
        peer.stop_reading()
        pings = frame(PING, b"x" * 125) * 500
        most = 0

        def is_held_back() -> bool:
            nonlocal most
            if peer.writer.transport.get_write_buffer_size() < 1_000_000:
                peer.send(pings)
            most = max(most, socket.buffered_bytes())
            return socket.blocked and peer.writer.transport.get_write_buffer_size() >= 1_000_000

        await eventually(is_held_back)
        assert 0 < most < 300_000
        assert not ear.heard
        peer.writer.transport.abort()
        await eventually(lambda: ear.ends)
    assert "Traceback" not in logged()
