"""Plain HTTP has deadlines: for the head of a request, the first or a later one, and for its body, whose parts are counted."""

import asyncio
from typing import Any

import pytest

from api_tests.serving.raw import Running, frame, request, serving
from api_tests.waiting import eventually
from app.serving import http
from app.serving.door import MAX_HEAD_BYTES
from app.serving.http import BODY_STRETCH_BYTES, MAX_BODY_PARTS

WHOLE = b"GET /page HTTP/1.1\r\nhost: here\r\n\r\n"
POST = b"POST /page HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\n"
IN_CHUNKS = b"POST /page HTTP/1.1\r\nhost: here\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
SOON_S, FAR_S = 0.2, 3600.0


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the whole body, then answers. A socket gets its messages back."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        return
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def deadlines(monkeypatch: pytest.MonkeyPatch, *, head_s: float = FAR_S, body_s: float = FAR_S) -> None:
    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", head_s)
    monkeypatch.setattr(http, "BODY_TIMEOUT_S", body_s)


async def gone(server: Running) -> None:
    await eventually(lambda: not server.server.server_state.connections)


async def test_a_later_head_has_its_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, head_s=SOON_S)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE)
        assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        peer.send(b"G")
        assert b"" == await peer.ended()
        await gone(server)


async def test_a_very_long_head_has_its_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, head_s=SOON_S)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE.removesuffix(b"\r\n") + b"cookie: " + b"x" * MAX_HEAD_BYTES)
        assert b"" == await peer.ended()


async def test_a_body_that_does_not_end_in_time_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, body_s=SOON_S)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(POST + b"1")
        assert b"" == await peer.ended()
        await gone(server)


async def test_time_that_is_over_for_others_is_none_of_a_request_that_came_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, head_s=SOON_S, body_s=SOON_S)
    may_answer = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await may_answer.wait()
        await pages(scope, receive, send)

    async with serving(slow) as server, server.peer() as peer, server.peer() as late:
        peer.send(POST)
        peer.send(b"12345")
        late.send(b"GET")
        assert b"" == await late.ended()
        may_answer.set()
        assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_who_becomes_a_websocket_behind_an_empty_line_has_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, head_s=SOON_S)
    async with serving(pages) as server, server.peer() as peer, server.peer() as late:
        peer.send(b"\r\n" + request())
        assert (await peer.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        late.send(b"\r\n")
        assert b"" == await late.ended()
        peer.send(frame(1, b"here"))
        assert b"here" == (await peer.frame()).payload


@pytest.mark.parametrize(("parts", "answers"), [(MAX_BODY_PARTS, 1), (MAX_BODY_PARTS + 1, 0)])
async def test_the_parts_of_a_body_are_counted(parts: int, answers: int) -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(IN_CHUNKS + b"1\r\nx\r\n" * parts + b"0\r\n\r\n")
        assert answers == (await peer.ended()).count(b"ok")


async def test_each_stretch_of_a_body_has_its_parts() -> None:
    length = 3 * BODY_STRETCH_BYTES
    chunk = b"40\r\n" + b"x" * 64 + b"\r\n"
    async with serving(pages) as server, server.peer() as peer:
        peer.send(IN_CHUNKS + chunk * (length // 64) + b"0\r\n\r\n")
        assert (await peer.ended()).endswith(b"ok")
