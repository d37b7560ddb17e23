"""The first reader of a connection: a WebSocket gets its request at once, and HTTP is uvicorn's as if nobody stood before it."""

from typing import Any

import pytest

from api_tests.serving.raw import KEY, Ear, RawPeer, Running, detaching, frame, request, serving
from api_tests.waiting import eventually
from app.serving import http
from app.serving.door import MAX_HEAD_BYTES, Door, read_request
from app.serving.http import HttpProtocol
from app.serving.protocol import WsxProtocol

PLAIN = b"GET /page HTTP/1.1\r\nhost: here\r\n\r\n"


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """An application of which each page is its own path."""
    assert "http" == scope["type"]
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(scope["path"]))]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def page(peer: RawPeer) -> bytes:
    """The next answer, whose body is a path of four letters."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return await peer.reader.readexactly(5)


def kinds(server: Running) -> list[type]:
    return [type(one) for one in server.server.server_state.connections]


def seen(server: Running) -> bytes:
    """What the first reader of the only connection has in its hands."""
    return b"".join(one._seen for one in server.server.server_state.connections if isinstance(one, Door))


def test_a_request_is_parsed_once_and_what_came_behind_it_is_kept():
    found = read_request(request("/ws?a=b", X_Own="1") + b"early")
    assert found is not None
    assert (b"GET", b"/ws?a=b", "1.1", b"early") == (found.method, found.target, found.http_version, found.early)
    assert {(b"sec-websocket-key", KEY.encode()), (b"x-own", b"1"), (b"host", b"here")} <= set(found.headers)


@pytest.mark.parametrize("name", ["websocket", "WebSocket"])
def test_the_name_of_the_protocol_may_be_written_in_any_case(name: str):
    assert read_request(request(upgrade=name)) is not None


@pytest.mark.parametrize(
    "other",
    [
        PLAIN,
        PLAIN + request(),
        request(upgrade="h2c", x_like="websocket"),
        request(connection="keep-alive"),
        request(without="upgrade", x_like="websocket"),
        request(bad="a\x01b"),
    ],
    ids=["a page", "a page first", "another protocol", "no upgrade", "no protocol", "unsound"],
)
def test_all_else_is_left_to_http(other: bytes):
    assert read_request(other) is None


async def test_a_head_may_come_in_pieces():
    ear = Ear()
    head = request("/ws")
    async with serving(detaching(ear)) as server, server.peer() as peer:
        for end in range(1, len(head), 40):
            peer.send(head[max(0, end - 40) : end])
            await eventually(lambda end=end: seen(server) == head[:end])
        peer.send(head[end:] + frame(1, b"early"))
        assert (await peer.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await eventually(lambda: ear.heard == ["early"])
        assert [WsxProtocol] == kinds(server)


async def test_pages_are_served_whole_or_in_pieces_one_after_the_other_on_one_connection():
    async with serving(pages) as server, server.peer() as peer:
        peer.send(b"GE")
        await eventually(lambda: seen(server) == b"GE")
        peer.send(b"T /one1 HTTP/1.1\r\n")
        await eventually(lambda: seen(server) == b"GET /one1 HTTP/1.1\r\n")
        peer.send(b"host: here\r\n\r\n")
        assert b"/one1" == await page(peer)
        peer.send(PLAIN)
        assert b"/page" == await page(peer)
        assert [HttpProtocol] == kinds(server)


async def test_a_body_comes_with_its_head():
    async with serving(pages) as server, server.peer() as peer:
        peer.send(b"POST /post HTTP/1.1\r\nhost: here\r\ncontent-length: 3\r\n\r\nabc")
        assert b"/post" == await page(peer)


@pytest.mark.parametrize(
    "wrong",
    [b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"HELO\n", b"GET / HTTP/1.1\r\nbad\x01: websocket\r\n\r\n"],
    ids=["TLS", "hello", "HELO", "name"],
)
async def test_what_is_no_http_is_400_at_once(wrong: bytes):
    async with serving(pages) as server, server.peer() as peer:
        peer.send(wrong)
        assert 400 == (await peer.answer())[0]


async def test_a_very_long_head_is_left_to_uvicorn():
    async with serving(pages) as server, server.peer() as peer:
        peer.send(PLAIN.removesuffix(b"\r\n") + b"cookie: " + b"x" * MAX_HEAD_BYTES)
        await eventually(lambda: kinds(server) == [HttpProtocol])
        peer.send(b"\r\n\r\n")
        assert b"/page" == await page(peer)


async def test_http_1_0_knows_no_websocket():
    async with serving(detaching(Ear())) as server, server.peer() as peer:
        peer.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert 400 == (await peer.answer())[0]


@pytest.mark.parametrize(
    "said",
    [b"", b"G", b"GET /ws HTTP/1.1\r\nhost: x\r\n", b"POST /api HTTP/1.1\r\n", b"\r\n", b"\r\nGET /", b"M-"],
    ids=["nothing", "G", "GET", "POST", "an empty line", "an empty line, GET", "M-"],
)
async def test_who_does_not_end_the_head_in_time_is_closed(said: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", 0.2)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(said)
        assert b"" == await peer.ended()
        await eventually(lambda: kinds(server) == [])


async def test_who_ended_the_head_in_time_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", 0.2)
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer, server.peer() as silent:
        await peer.open()
        assert b"" == await silent.ended()
        assert ear.sink.is_open


async def test_who_leaves_without_a_request_is_forgotten():
    async with serving(pages) as server:
        async with server.peer():
            await eventually(lambda: kinds(server) == [Door])
        await eventually(lambda: kinds(server) == [])


async def test_a_server_that_stops_does_not_wait_for_those_who_said_nothing():
    async with serving(pages) as server, server.peer() as peer:
        await eventually(lambda: kinds(server) == [Door])
        server.server.should_exit = True
        assert b"" == await peer.ended()


async def test_a_page_that_has_said_all_holds_no_reader():
    ear = Ear()
    text = frame(1, b"in two pieces")
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        (socket,) = server.sockets
        assert socket._reader is None
        for sent in (text, frame(1, b"in two ", final=False) + frame(0, b"pieces")):
            peer.send(sent[:5])
            await eventually(lambda: socket._reader is not None)
            peer.send(sent[5:9])
            peer.send(sent[9:])
            await eventually(lambda: ear.heard)
            assert "in two pieces" == ear.heard.pop()
            assert socket._reader is None
