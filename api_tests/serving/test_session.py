"""The ASGI side of a socket, for applications that use `receive` and `send`; and the moment in which it ends."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from api_tests.serving.raw import Ear, Frame, close_frame, frame, request, serving
from api_tests.waiting import eventually
from app.serving.session import MAX_INBOX

TEXT, BINARY = 1, 2


class Driven:
    """An application whose events the test makes: accepted, and from there on driven from outside."""

    def __init__(self) -> None:
        self.receive: Any = None
        self.send: Any = None
        self.extension: Any = None
        self.may_end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.receive, self.send, self.extension = receive, send, scope["extensions"]["wsx.socket"]
        await self.may_end.wait()

    async def start(self, peer: Any) -> None:
        await peer.open()
        await eventually(lambda: self.send)


async def test_texts_and_bytes_go_both_ways():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        peer.send(frame(TEXT, "é".encode()) + frame(BINARY, b"\xff"))
        assert {"type": "websocket.receive", "text": "é"} == await app.receive()
        assert {"type": "websocket.receive", "bytes": b"\xff"} == await app.receive()
        await app.send({"type": "websocket.send", "text": "ü"})
        await app.send({"type": "websocket.send", "bytes": b"\x00", "text": None})
        assert [Frame(TEXT, "ü".encode()), Frame(BINARY, b"\x00")] == [await peer.frame(), await peer.frame()]
        app.may_end.set()
        assert (1000, "") == (await peer.frame()).close  # an application that returns has ended its socket


async def test_a_page_that_has_slept_for_too_long_is_closed_and_the_application_is_told():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        (socket,) = server.sockets
        socket.tell(socket._listener.stalled)
        assert (1013, "too slow") == (await peer.frame()).close
        peer.send(close_frame(1013))
        assert {"type": "websocket.disconnect", "code": 1013, "reason": "too slow"} == await app.receive()


async def test_the_application_may_close_and_the_peer_too():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        await app.send({"type": "websocket.close", "code": 4000, "reason": "enough"})
        assert (4000, "enough") == (await peer.frame()).close
        peer.send(close_frame(4000))
        end = {"type": "websocket.disconnect", "code": 4000, "reason": "enough"}
        assert [end, end] == [await app.receive(), await app.receive()]
        with pytest.raises(ClientDisconnected):
            await app.send({"type": "websocket.send", "text": "x"})
        app.may_end.set()


async def test_an_application_that_fails_is_logged_and_closed_with_1011(caplog: pytest.LogCaptureFixture):
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        raise ValueError("the application is broken")

    async with serving(app) as server, server.peer() as peer:
        await peer.open()
        peer.send(frame(TEXT, b"x"))
        assert (1011, "") == (await peer.frame()).close
    assert "the application is broken" in caplog.text


async def test_an_application_that_meets_a_gone_peer_ends_quietly(caplog: pytest.LogCaptureFixture):
    ended = asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 1_000_000})
        finally:
            ended.set()

    async with serving(app) as server:
        async with server.peer() as peer:
            await peer.open()
            peer.stop_reading()
            await asyncio.sleep(0.05)
            assert not ended.is_set()  # it waits for the peer to read
            peer.writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)
    assert "" == caplog.text


async def test_a_send_waits_while_the_peer_does_not_read_and_then_goes_on():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        peer.stop_reading()
        texts = [str(number).ljust(500_000, "x") for number in range(20)]

        async def send_all() -> None:
            for text in texts:
                await app.send({"type": "websocket.send", "text": text})

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.1)
        assert not sending.done()
        peer.read_on()
        assert texts == [(await peer.frame()).payload.decode() for _ in texts]
        await sending
        app.may_end.set()


async def test_an_application_that_does_not_receive_stops_the_peer_and_not_our_memory():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(100)))
        await asyncio.sleep(0.1)
        assert MAX_INBOX == len(app.extension._inbox)
        assert [*map(str, range(100))] == [(await app.receive())["text"] for _ in range(100)]
        app.may_end.set()


@pytest.mark.parametrize("kind", ["websocket.accept", "http.response.start"])
async def test_an_event_at_the_wrong_time_says_what_was_due(kind: str):
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        with pytest.raises(RuntimeError, match=r"websocket\.send or websocket\.close"):
            await app.send({"type": kind})
        app.may_end.set()


async def test_what_waited_is_told_to_the_new_listener_in_order_also_the_end():
    app, ear = Driven(), Ear()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        peer.send(frame(TEXT, b"1") + frame(BINARY, b"2") + close_frame(4001, "bye"))
        await eventually(lambda: not server.sockets)
        app.extension.detach(ear)
        assert [] == ear.heard  # not before the caller has what it needs
        await eventually(lambda: ear.ends)
        app.may_end.set()
    assert (["1", b"2"], [(4001, "bye")]) == (ear.heard, ear.ends)


async def test_a_socket_is_detached_once_and_not_before_it_was_accepted():
    refusals: list[str] = []
    ear = Ear()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        extension = scope["extensions"]["wsx.socket"]
        for accept in (False, True):
            if accept:
                await send({"type": "websocket.accept"})
                extension.detach(ear)
            try:
                extension.detach(ear)
            except RuntimeError as refusal:
                refusals.append(str(refusal))

    async with serving(app) as server, server.peer() as peer:
        await peer.open()
        peer.send(frame(TEXT, b"x"))
        await eventually(lambda: ear.heard == ["x"])
    assert ["a socket is detached once, after it was accepted"] * 2 == refusals


async def test_a_session_that_is_woken_twice_in_one_turn():
    app = Driven()
    async with serving(app) as server, server.peer() as peer:
        await app.start(peer)
        receiving = asyncio.create_task(app.receive())
        await asyncio.sleep(0)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        assert ["1", "2"] == [(await receiving)["text"], (await app.receive())["text"]]
        app.may_end.set()


async def test_a_request_that_is_refused_and_then_accepted_is_not():
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})
        await receive()
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.accept"})

    async with serving(app) as server, server.peer() as peer:
        peer.send(request())
        assert 403 == (await peer.answer())[0]
