"""The opening handshake: who is answered what, over a real connection."""

import asyncio
from typing import Any

import pytest

from api_tests.serving.raw import KEY, Ear, detaching, frame, request, serving
from api_tests.waiting import eventually
from app.serving.door import Door
from app.serving.handshake import accept_value


class Asked:
    """An application that does what the test says, and remembers its scope."""

    def __init__(self, *messages: dict[str, Any], error: Exception | None = None) -> None:
        self.scope: dict[str, Any] = {}
        self._messages = messages
        self._error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        for message in self._messages:
            await send(message)
        if self._error is not None:
            raise self._error


async def answer_to(head: bytes, app: Any = None, **how: Any) -> tuple[int, bytes]:
    async with serving(app or Asked(), **how) as server, server.peer() as peer:
        peer.send(head)
        return await peer.answer()


def test_the_example_of_the_rfc():
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == accept_value(b"dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize("http", [Door, "httptools"])
async def test_a_good_request_is_answered_with_what_the_application_chose(http: Any):
    headers = [(b"x-own", b"1")]
    app = Asked({"type": "websocket.accept", "subprotocol": "b", "headers": headers})
    async with serving(app, root_path="/base", http=http) as server, server.peer() as peer:
        await peer.open("/caf%C3%A9/x?a=%20b", sec_websocket_protocol="a, b\nc,,", x_twice="1\n2")
        assert accept_value(KEY.encode()) in peer.head
        assert b"\r\nSec-WebSocket-Protocol: b\r\n" in peer.head
        assert b"\r\nx-own: 1\r\n" in peer.head
    scope = app.scope
    assert ("/base/café/x", b"/base/caf%C3%A9/x", b"a=%20b") == (scope["path"], scope["raw_path"], scope["query_string"])
    assert (["a", "b", "c"], "ws", "/base") == (scope["subprotocols"], scope["scheme"], scope["root_path"])
    assert [b"1", b"2"] == [value for name, value in scope["headers"] if name == b"x-twice"]
    assert "127.0.0.1" == scope["client"][0]


@pytest.mark.parametrize(
    "wrong",
    [
        request(sec_websocket_key="c2hvcnQ="),
        request(sec_websocket_key="****"),
        request(sec_websocket_key="0123456789abcdefghijkl"),
        request(sec_websocket_key=f"{KEY}\n{KEY}"),
        request(without="sec-websocket-key"),
        request(method="POST"),
        request(content_length="5") + b"hello",
        request(transfer_encoding="chunked") + b"0\r\n\r\n",
        request(host="here\nthere"),
        request(without="host"),
    ],
    ids=["short key", "no base64", "not padded", "two keys", "no key", "POST", "a body", "in chunks", "two hosts", "no host"],
)
@pytest.mark.parametrize("http", [Door, "httptools"])
async def test_what_is_no_handshake_is_400(wrong: bytes, http: Any):
    assert 400 == (await answer_to(wrong, http=http))[0]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("http://there:81/a?b=c", "/a", b"b=c"),
        ("WSS://there:81", "/", b""),
        ("https://there:81?b", "/", b"b"),
    ],
)
async def test_a_target_in_absolute_form_says_which_host_is_meant(target: str, path: str, query: bytes):
    app = Asked({"type": "websocket.accept"})
    async with serving(app) as server, server.peer() as peer:
        await peer.open(target, host="here")
    assert (path, query) == (app.scope["path"], app.scope["query_string"])
    assert [b"there:81"] == [value for name, value in app.scope["headers"] if name == b"host"]


@pytest.mark.parametrize("wrong", [request(sec_websocket_version="8"), request(without="sec-websocket-version")])
async def test_another_version_is_told_ours(wrong: bytes):
    status, text = await answer_to(wrong)
    assert 426 == status
    assert b"sec-websocket-version: 13\r\n" in text


async def test_the_application_may_refuse_in_its_own_words():
    app = Asked(
        {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-own", b"1"), (b"Content-Length", b"9")]},
        {"type": "websocket.http.response.body", "body": b"not ", "more_body": True},
        {"type": "websocket.http.response.body", "body": b"you"},
    )
    status, text = await answer_to(request(), app)
    assert 401 == status
    assert text.endswith(b"content-length: 7\r\nconnection: close\r\n\r\nnot you")
    assert b"x-own: 1\r\n" in text


@pytest.mark.parametrize(
    ("app", "status"),
    [
        (Asked({"type": "websocket.close"}), 403),
        (Asked(), 500),
        (Asked(error=ValueError("broken")), 500),
        (Asked({"type": "websocket.send", "text": "too early"}), 500),
        (Asked({"type": "websocket.http.response.body"}), 500),
    ],
    ids=["close", "returns", "raises", "sends", "body without start"],
)
async def test_an_application_that_does_not_accept(app: Asked, status: int):
    assert status == (await answer_to(request(), app))[0]


async def test_frames_that_come_before_the_answer_are_read_after_it():
    ear, may_accept = Ear(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await may_accept.wait()
        await detaching(ear)(scope, receive, send)

    async with serving(app) as server, server.peer() as peer:
        peer.send(request())
        await eventually(lambda: server.sockets)
        peer.send(frame(1, b"early"))
        await eventually(server.sockets[0]._reader.held_bytes)
        may_accept.set()
        await eventually(lambda: ear.heard == ["early"])


async def waits_for_ever(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    await receive()


async def test_who_sends_much_before_the_answer_is_cut():
    async with serving(waits_for_ever) as server, server.peer() as peer:
        peer.send(request())
        await eventually(lambda: server.sockets)
        peer.send(b"x" * 60_000)
        await asyncio.sleep(0.05)
        assert server.sockets
        peer.send(b"x" * 10_000)
        assert b"" == await peer.ended()
        await eventually(lambda: not server.sockets)


async def test_who_leaves_before_the_answer_is_told_as_a_disconnect():
    heard: list[Any] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        heard.extend([await receive(), await receive(), await receive()])
        await send({"type": "websocket.accept"})

    async with serving(app) as server:
        async with server.peer() as peer:
            peer.send(request())
            await eventually(lambda: server.sockets)
        await eventually(lambda: len(heard) == 3)
    end = {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert [{"type": "websocket.connect"}, end, end] == heard


async def test_a_server_that_stops_says_503_to_who_still_waits():
    async with serving(waits_for_ever) as server, server.peer() as peer:
        peer.send(request())
        await eventually(lambda: server.sockets)
        server.server.should_exit = True
        assert 503 == (await peer.answer())[0]
