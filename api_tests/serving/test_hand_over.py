"""The moment in which a socket gets its listener: what comes just then is neither lost nor told out of order."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from uvicorn.protocols.utils import ClientDisconnected

from api_tests.serving.raw import Ear, RawPeer, Running, close_frame, detaching, frame, request, serving
from api_tests.waiting import SOON_S, eventually
from app.serving.run import listen, make_server
from app.serving.session import MAX_INBOX, AsgiSession
from app.settings import Settings
from app.wire.prepared import Prepared

TEXT = 1


class Held:
    """An application that accepts and then waits, so that the test says when the listener comes."""

    def __init__(self) -> None:
        self.session: AsgiSession
        self.send: Any = None
        self._may_end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.session, self.send = scope["extensions"]["wsx.socket"], send
        await self._may_end.wait()

    def waiting(self) -> int:
        """Messages that came and were told nobody."""
        return len(self.session._inbox)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Running, RawPeer]]:
        async with serving(self) as server, server.peer() as peer:
            await peer.open()
            await eventually(lambda: self.send)
            yield server, peer
            self._may_end.set()


def at_once(peer: RawPeer, data: bytes) -> None:
    """Into the kernel before the server's loop takes its next turn."""
    with socket.socket(fileno=socket.dup(peer.writer.get_extra_info("socket").fileno())) as same:
        assert len(data) == same.send(data)


def read_now(peer: RawPeer, count: int) -> None:
    """All that the kernel has for the peer, while the loop stands still."""
    with socket.socket(fileno=socket.dup(peer.writer.get_extra_info("socket").fileno())) as same:
        until = time.monotonic() + SOON_S
        while count and time.monotonic() < until:
            with suppress(BlockingIOError):
                count -= len(same.recv(count))
    assert 0 == count


async def test_what_comes_in_the_turn_of_the_hand_over_is_told_after_what_waited() -> None:
    app, ear = Held(), Ear()
    async with app.open() as (_, peer):
        peer.send(frame(TEXT, b"1"))
        await eventually(lambda: 1 == app.waiting())
        at_once(peer, frame(TEXT, b"2") + close_frame(4000))
        app.session.detach(ear)
        await eventually(lambda: ear.ends)
    assert (["1", "2"], [(4000, "")]) == (ear.heard, ear.ends)


async def test_a_reset_in_the_turn_of_the_hand_over_is_told_last_and_once() -> None:
    app, ear = Held(), Ear()
    async with app.open() as (server, peer):
        peer.send(frame(TEXT, b"1"))
        await eventually(lambda: 1 == app.waiting())
        server.sockets[0].abort()
        order: list[str] = []
        ear.on_message = lambda _message: order.append(f"heard before {len(ear.ends)} ends")
        app.session.detach(ear)
        await eventually(lambda: ear.ends)
    assert (["heard before 0 ends"], ["1"], [(1006, "")]) == (order, ear.heard, ear.ends)


async def test_a_full_inbox_is_handed_over_and_the_socket_is_read_again() -> None:
    app, ear = Held(), Ear()
    texts = [str(number) for number in range(3 * MAX_INBOX)]
    async with app.open() as (_, peer):
        peer.send(b"".join(frame(TEXT, text.encode()) for text in texts))
        await eventually(lambda: MAX_INBOX == app.waiting())
        app.session.detach(ear)
        await eventually(lambda: texts == ear.heard)


async def test_a_new_listener_that_wants_no_more_is_given_no_more_than_what_waited() -> None:
    app, ear = Held(), Ear()
    async with app.open() as (_, peer):
        peer.send(frame(TEXT, b"x") * 100)
        await eventually(lambda: MAX_INBOX == app.waiting())
        ear.on_message = lambda _message: ear.sink.pause()
        ear.sink = app.session.detach(ear)
        await eventually(lambda: MAX_INBOX == len(ear.heard))
        peer.send(frame(TEXT, b"y"))
        assert ear.sink.write(Prepared(b"a round trip"))
        assert b"a round trip" == (await peer.frame()).payload
        assert MAX_INBOX == len(ear.heard)
        ear.on_message = lambda _message: None
        ear.sink.resume()
        await eventually(lambda: "y" == ear.heard[-1])
    assert 101 == len(ear.heard)


async def test_a_listener_that_fails_on_what_waited_is_closed_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_message: str | bytes) -> None:
        message = "the listener is broken"
        raise ValueError(message)

    app, ear = Held(), Ear()
    ear.on_message = fail
    async with app.open() as (_, peer):
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        await eventually(lambda: 2 == app.waiting())
        app.session.detach(ear)
        assert (1011, "") == (await peer.frame()).close
        peer.writer.close()
        await eventually(lambda: ear.ends)
    assert (["1"], [(1011, "")]) == (ear.heard, ear.ends)
    assert "socket listener failed" in caplog.text


async def test_a_listener_that_closes_while_it_is_told_what_waited_hears_no_more() -> None:
    app, ear = Held(), Ear()
    ear.on_message = lambda _message: ear.sink.close(4401, "expired")
    async with app.open() as (_, peer):
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        await eventually(lambda: 2 == app.waiting())
        ear.sink = app.session.detach(ear)
        assert (4401, "expired") == (await peer.frame()).close
        peer.send(close_frame(4401))
        await eventually(lambda: ear.ends)
    assert (["1"], [(4401, "expired")]) == (ear.heard, ear.ends)


async def test_a_listener_may_be_told_to_write_on_before_it_is_told_what_waited() -> None:
    app, ear = Held(), Ear()
    async with app.open() as (server, peer):
        peer.send(frame(TEXT, b"1"))
        await eventually(lambda: 1 == app.waiting())
        peer.stop_reading()
        await asyncio.sleep(0)
        sink = server.sockets[0]
        small, count = Prepared(b"x" * 1_000), 1
        while sink.write(small):
            count += 1
        read_now(peer, count * len(small) - sink.buffered_bytes())
        app.session.detach(ear)
        await eventually(lambda: (1, ["1"]) == (ear.writable_count, ear.heard))
        assert 0 == sink.buffered_bytes()


async def test_what_was_refused_cannot_be_accepted_any_more() -> None:
    outcome: list[type[BaseException] | None] = []
    server: Running

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        server.sockets[0].shutdown()
        try:
            await send({"type": "websocket.accept"})
        except ClientDisconnected as gone:
            outcome.append(type(gone))

    async with serving(app) as server, server.peer() as peer:
        peer.send(request())
        status, text = await peer.answer()
    assert (503, 1, [ClientDisconnected]) == (status, text.count(b"HTTP/1.1"), outcome)


async def test_the_scope_has_pairs_for_addresses_also_with_ip_6(settings: Settings) -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await detaching(Ear())(scope, receive, send)

    with listen(msgspec.structs.replace(settings, host="::1")) as listener:
        port = listener.getsockname()[1]
        server = make_server(app, settings)
        server.config.lifespan = "off"
        serve = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started)
        peer = RawPeer(port)
        peer.reader, peer.writer = await asyncio.open_connection("::1", port)
        await peer.open()
        own = ("::1", peer.writer.get_extra_info("sockname")[1])
        peer.writer.close()
        server.should_exit = True
        await serve
    assert (("::1", port), own) == (scopes[0]["server"], scopes[0]["client"])


async def test_two_tasks_may_wait_to_send() -> None:
    app = Held()
    async with app.open() as (_, peer):
        peer.stop_reading()
        big = {"type": "websocket.send", "bytes": b"x" * 5_000_000}
        await app.send(big)
        both = [asyncio.create_task(app.send({"type": "websocket.send", "text": text})) for text in "ab"]
        await asyncio.sleep(0)
        assert [False, False] == [one.done() for one in both]
        peer.read_on()
        await peer.frame()
        assert {b"a", b"b"} == {(await peer.frame()).payload, (await peer.frame()).payload}
        await asyncio.gather(*both)
