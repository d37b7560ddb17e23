"""Writing to sockets whose peers read, read slowly, or do not read at all."""

import asyncio
import os
from contextlib import suppress

import pytest

from api_tests.counting import counted
from api_tests.serving.raw import Ear, close_frame, detaching, frame, serving
from api_tests.waiting import eventually
from app.serving.protocol import WsxProtocol
from app.wire.prepared import Prepared

TEXT = 1


async def fill(sink: WsxProtocol, message: Prepared) -> int:
    """Write until the socket says that it is full; returns how many messages it took."""
    count = 1
    while sink.write(message):
        count += 1
        assert count < 1_000_000
    return count


async def test_all_that_was_taken_arrives_in_order_and_writable_says_when_it_is_gone():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.stop_reading()
        sink = server.sockets[0]
        texts = [f"{number}:".encode().ljust(100_000, b"x") for number in range(200)]
        taken = 0
        while sink.write(Prepared(texts[taken])):
            taken += 1
        assert not sink.write(Prepared(texts[taken + 1]))  # behind the one that filled it
        assert sink.buffered_bytes() > 100_000
        assert 0 == ear.writable_count
        peer.send(frame(TEXT, b"not read while our words are not"))
        await asyncio.sleep(0.05)
        assert [] == ear.heard
        peer.read_on()
        for text in texts[: taken + 2]:
            assert text == (await peer.frame()).payload
        await eventually(lambda: ear.writable_count == 1 and len(ear.heard) == 1)
        assert (0, True) == (sink.buffered_bytes(), sink.write(Prepared(b"healthy again")))
        assert b"healthy again" == (await peer.frame()).payload


async def test_a_socket_that_takes_all_costs_one_system_call_and_nothing_of_the_transport(monkeypatch: pytest.MonkeyPatch):
    async with serving(detaching(Ear())) as server, server.peer() as peer:
        await peer.open()
        sink, message, calls = server.sockets[0], Prepared(b"x" * 357), []
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda descriptor, data, write=os.write: calls.append(data) or write(descriptor, data))
            with counted() as found:
                taken = sink.write(message)
        assert (True, [message.data], 1) == (taken, calls, found["write"])
        ours = {name: count for name, count in found.items() if name.startswith(("SocketSink", "WsxProtocol"))}
        assert {"SocketSink.write": 1} == ours
        assert b"x" * 357 == (await peer.frame()).payload


async def test_a_peer_that_is_gone_is_found_while_writing():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        sink = server.sockets[0]
        peer.writer.transport.abort()
        written = 0
        while not ear.ends and written < 100:
            assert sink.write(Prepared(b"x" * 1_000))
            written += 1
            await asyncio.sleep(0)
        await eventually(lambda: ear.ends == [(1006, "")])
        assert sink.write(Prepared(b"into the void"))


async def test_a_broken_descriptor_cuts_the_connection(monkeypatch: pytest.MonkeyPatch):
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        sink = server.sockets[0]

        def broken(_descriptor: int, _data: bytes) -> int:
            raise ConnectionResetError

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", broken)  # a reset that the loop has not seen yet
            assert sink.write(Prepared(b"x"))
        await eventually(lambda: ear.ends == [(1006, "")])


async def test_an_abort_frees_what_was_buffered_at_once():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.stop_reading()
        sink = server.sockets[0]
        await fill(sink, Prepared(b"x" * 1_000_000))
        sink.abort()
        await eventually(lambda: ear.ends == [(1006, "")])
        assert [] == server.sockets
        peer.read_on()
        with pytest.raises(ConnectionResetError):  # not an end that looks regular
            await peer.reader.read()


async def test_a_close_behind_much_data_is_still_read():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.stop_reading()
        sink = server.sockets[0]
        taken = await fill(sink, Prepared(b"x" * 100_000))
        sink.close(1013, "too slow")
        peer.read_on()
        for _ in range(taken):
            assert 100_000 == len((await peer.frame()).payload)
        assert (1013, "too slow") == (await peer.frame()).close
        peer.send(close_frame(1013))
        await eventually(lambda: ear.ends == [(1013, "too slow")])
    assert 0 == ear.writable_count


async def test_nobody_waits_for_who_does_not_read():
    ears: list[Ear] = []

    async def app(scope, receive, send) -> None:
        ears.append(Ear())
        await detaching(ears[-1])(scope, receive, send)

    async with serving(app) as server, server.peer() as stalled, server.peer() as healthy:
        await stalled.open()
        await healthy.open()
        stalled.stop_reading()
        await fill(ears[0].sink, Prepared(b"x" * 1_000_000))
        for number in range(100):
            assert ears[1].sink.write(Prepared(b"%d" % number))
            assert b"%d" % number == (await healthy.message()).payload
        stalled.writer.transport.abort()


async def test_a_kernel_that_takes_nothing_at_all_is_no_error():
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        peer.stop_reading()
        sink = server.sockets[0]
        filled = 0
        with suppress(BlockingIOError):  # full to the last byte, and the transport does not know
            while True:
                filled += os.write(sink._fd, b"." * 1_000)
        assert not sink.write(Prepared(b"last"))
        peer.read_on()
        assert b"." * filled + Prepared(b"last").data == await peer.reader.readexactly(filled + 6)
