"""Plain HTTP keeps a bounded number of bytes and requests of one peer, and hangs up for good."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from api_tests.serving.raw import Ear, Running, detaching, request, serving
from api_tests.serving.test_http import FAR_S, POST, SOON_S, WHOLE, deadlines, gone, pages
from api_tests.waiting import eventually
from app.serving import http, patience
from app.serving.http import BODY_STRETCH_BYTES, MAX_FIELDS, MAX_HEAD_BYTES, MAX_QUEUED_REQUESTS, HttpProtocol
from app.serving.leaning import NEEDED, check_names
from app.serving.patience import Patience, Wait

FIELD = b"a-name-of-20-letters: " + b"b" * 1_000 + b"\r\n"
SHORT = b"a:b\r\n"
CHUNKED = b"POST /page HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
HELD_BYTES = MAX_HEAD_BYTES + 262_144
"""What may be held of a head: one read more than its limit."""


def the_one(server: Running) -> HttpProtocol:
    (found,) = server.server.server_state.connections
    assert isinstance(found, HttpProtocol)
    return found


def held_bytes(protocol: HttpProtocol) -> int:
    return sum(len(name) + len(value) for name, value in protocol.headers)


@pytest.mark.parametrize("piece", [FIELD * 20, b"cookie: " + b"x" * 20_000], ids=["many fields", "one field"])
async def test_a_head_that_does_not_end_is_431_and_what_still_comes_is_not_kept(piece: bytes) -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE.removesuffix(b"\r\n"))
        for _ in range(200):
            peer.send(piece)
        status, text = await peer.answer()
        assert 431 == status
        assert str(MAX_HEAD_BYTES).encode() in text
        assert held_bytes(the_one(server)) <= HELD_BYTES


async def test_a_head_that_is_whole_and_too_long_is_431_however_it_comes() -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE.removesuffix(b"\r\n") + FIELD * (MAX_HEAD_BYTES // len(FIELD) + 1) + b"\r\n")
        assert 431 == (await peer.answer())[0]


@pytest.mark.parametrize(("fields", "status"), [(MAX_FIELDS, 200), (MAX_FIELDS + 1, 431)])
async def test_the_fields_of_a_head_are_counted(fields: int, status: int) -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n" + SHORT * (fields - 2) + b"\r\n")
        answered, text = await peer.answer()
        assert status == answered
        assert (status == 431) == (f"{MAX_FIELDS} fields".encode() in text)


@pytest.mark.parametrize(("fields", "answers"), [(MAX_FIELDS, 2), (MAX_FIELDS + 1, 0)])
async def test_those_behind_a_body_are_counted_too_and_too_many_end_it(fields: int, answers: int) -> None:
    """The request is being answered: nothing can be said of them."""
    async with serving(pages) as server, server.peer() as peer:
        peer.send(CHUNKED + SHORT * (fields - CHUNKED.count(b": ")) + b"\r\n")
        peer.send(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        assert answers == (await peer.ended()).count(b"ok")


async def test_a_read_of_short_fields_is_parsed_no_further_than_its_bound() -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE.removesuffix(b"\r\n") + SHORT * 50_000)
        assert 431 == (await peer.answer())[0]
        assert len(the_one(server).headers) == MAX_FIELDS + 1


async def test_a_long_head_within_the_limit_is_answered_again_and_again() -> None:
    async with serving(pages) as server, server.peer() as peer:
        for _ in range(3):
            peer.send(WHOLE.removesuffix(b"\r\n") + FIELD * 60 + b"\r\n")
            assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_who_was_refused_has_the_time_of_a_head_to_read_why(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, head_s=SOON_S)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE.removesuffix(b"\r\n") + FIELD * 200)
        assert 431 == (await peer.answer())[0]
        peer.send(FIELD)
        await gone(server)


async def test_where_a_stream_cannot_be_ended_on_one_side_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under TLS."""
    monkeypatch.setattr(patience, "CUT_AFTER_S", 0.0)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE)
        await peer.reader.readuntil(b"ok")
        protocol = the_one(server)
        monkeypatch.setattr(protocol, "transport", EndsOnBothSides(protocol.transport))
        peer.send(WHOLE.removesuffix(b"\r\n") + FIELD * 200)
        assert b"" == await peer.ended()


class EndsOnBothSides:
    """A transport that has no half close."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def can_write_eof(self) -> bool:
        return False


@pytest.mark.parametrize(("hosts", "status"), [(b"", 400), (b"host: here\r\nhost: there\r\n", 400), (b"host: here\r\n", 200)])
async def test_a_request_names_one_host(hosts: bytes, status: int) -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(b"GET /page HTTP/1.1\r\n" + hosts + b"connection: close\r\n\r\n")
        assert status == (await peer.answer())[0]


async def test_an_old_client_names_none() -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(b"GET /page HTTP/1.0\r\n\r\n")
        assert 200 == (await peer.answer())[0]


async def test_fields_behind_a_body_are_bounded_too() -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(CHUNKED)
        for _ in range(10):
            peer.send(FIELD * 20)
        assert b"" == await peer.ended()
        await gone(server)


@pytest.mark.parametrize(
    "wrong", [FIELD * 200, SHORT * 300, b"no field\r\n"], ids=["too many bytes", "too many fields", "no field"]
)
async def test_who_was_answered_before_the_end_of_a_body_is_not_answered_again(wrong: bytes) -> None:
    """What stood there would be taken for the answer to the next request."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})

    async with serving(app) as server, server.peer() as peer:
        peer.send(CHUNKED)
        assert b"HTTP/1.1 401" in await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(wrong + b"\r\n")
        assert b"" == await peer.ended()


async def test_a_few_requests_may_come_at_once_and_are_answered_in_order() -> None:
    async with serving(pages) as server, server.peer() as peer:
        peer.send(WHOLE * (1 + MAX_QUEUED_REQUESTS))
        for _ in range(1 + MAX_QUEUED_REQUESTS):
            assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_who_sends_requests_without_end_is_closed_and_few_of_them_are_kept() -> None:
    begun: list[HttpProtocol] = []
    never = asyncio.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.append(the_one(server))
        await never.wait()

    async with serving(slow) as server, server.peer() as peer:
        peer.send(WHOLE)
        await eventually(lambda: begun)
        peer.send(WHOLE * 2_000)
        assert b"" == await peer.ended()
        await gone(server)
        assert len(begun[0].pipeline) <= MAX_QUEUED_REQUESTS + 1


async def test_who_leaves_while_requests_wait_is_written_to_no_more(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
        told.append("gone")

    async with serving(slow) as server, server.peer() as peer:
        peer.send(WHOLE * 3)
        await eventually(lambda: server.server.server_state.tasks)
        peer.writer.transport.abort()
        await eventually(lambda: told)
        await gone(server)
    assert ["gone"] == told
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_large_body_has_its_time_for_each_stretch_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Patience] = []
    wait = Patience.wait

    def count(one: Patience, give_up: Callable[[], None]) -> Wait:
        waits.append(one)
        return wait(one, give_up)

    monkeypatch.setattr(Patience, "wait", count)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(POST.replace(b"length: 5", b"length: %d" % (10 * BODY_STRETCH_BYTES)))
        peer.send(b"x" * (10 * BODY_STRETCH_BYTES - 1))
        await eventually(lambda: len(waits) >= 1 + 5)  # a read may have the ends of one stretch and the most of another
        peer.send(b"x")
        assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        assert len(waits) <= 1 + 10 + 1


async def test_a_request_that_became_whole_as_its_time_was_over_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadlines(monkeypatch)
    async with serving(pages) as server, server.peer() as peer:
        peer.send(POST)
        await eventually(lambda: isinstance(next(iter(server.server.server_state.connections), None), HttpProtocol))
        protocol = the_one(server)
        await eventually(lambda: protocol._wait)
        clock = http.patience_for_bodies(protocol.config)._clock
        clock._turned_at -= 2 * FAR_S  # the time is over: all slots are due
        clock._tick()
        protocol.data_received(b"12345")
        assert (await peer.reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_who_reads_nothing_is_dropped_soon_after_we_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines(monkeypatch, body_s=SOON_S)
    monkeypatch.setattr(patience, "CUT_AFTER_S", SOON_S)

    async def talkative(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})

    async with serving(talkative) as server, server.peer() as peer:
        peer.stop_reading()
        peer.send(POST)
        await eventually(lambda: isinstance(next(iter(server.server.server_state.connections), None), HttpProtocol))
        await gone(server)


def test_a_uvicorn_that_lacks_what_we_lean_on_is_refused_by_name() -> None:
    class Other:
        def __init__(self) -> None:
            self.config = self.cycle = self.headers = self.parser = self.transport = self.url = None

    for name in NEEDED - {"config", "cycle", "headers", "parser", "transport", "url", "pipeline"}:
        setattr(Other, name, None)
    with pytest.raises(ImportError, match="this uvicorn has no pipeline in Other"):
        check_names(Other)


async def test_what_stands_behind_a_body_is_no_header() -> None:
    """RFC 9110, 6.5.1: else who sends it could say who it is, or from where, behind the back of a proxy."""
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["headers"])
        await pages(scope, receive, send)

    async with serving(app) as server, server.peer() as peer:
        peer.send(CHUNKED + b"authorization: Bearer x\r\n\r\n" + CHUNKED + b"\r\n")
        await eventually(lambda: len(seen) == 2)
    assert [[(b"host", b"here"), (b"transfer-encoding", b"chunked")]] * 2 == seen


@pytest.mark.parametrize(("length", "status"), [(60_000, 101), (70_000, 431)])
async def test_the_head_of_a_handshake_has_its_bound_also_in_one_write(length: int, status: int) -> None:
    async with serving(detaching(Ear())) as server, server.peer() as peer:
        peer.send(request(cookie="x" * length))
        assert f"HTTP/1.1 {status}".encode() == (await peer.reader.readuntil(b"\r\n"))[:12]


@pytest.mark.parametrize(("fields", "status"), [(MAX_FIELDS, 101), (MAX_FIELDS + 1, 431)])
async def test_the_fields_of_a_handshake_are_counted(fields: int, status: int) -> None:
    async with serving(detaching(Ear())) as server, server.peer() as peer:
        head = request().removesuffix(b"\r\n")
        peer.send(head + SHORT * (fields - head.count(b": ")) + b"\r\n")
        assert f"HTTP/1.1 {status}".encode() == (await peer.reader.readuntil(b"\r\n"))[:12]
