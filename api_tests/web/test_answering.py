"""Operations that answer by themselves: what comes in, what goes out, and what it costs, over real requests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from http import HTTPStatus
from inspect import Parameter, signature
from typing import Any

import msgspec

from api_tests.client import ApiClient
from api_tests.counting import counted
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually
from app.main import ROUTES, create_app
from app.settings import Settings

NOBODY = {"audience": {"kind": "users", "ids": ["nobody"]}, "target": "#a", "html": "x"}
MAX_CALLS = 142
"""Calls of Python functions in one broadcast to nobody, from our front door on. It is 142, some 40 of them the rate limit and the
audit log; in Litestar's own way, without these, it was 391."""


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0)


async def test_a_body_that_comes_in_pieces_is_one_body(api: ApiClient) -> None:
    body = json.dumps({**NOBODY, "html": "x" * 100_000}).encode()
    answer = await api.http.post("/api/v1/broadcasts", content=in_pieces(body, 9_000))
    assert HTTPStatus.ACCEPTED == answer.status_code, answer.text


async def test_a_body_that_does_not_say_its_length_is_refused_when_it_is_over_the_limit(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, max_body_bytes=1024)
    body = json.dumps({**NOBODY, "html": "x" * 1024}).encode()
    async with run_server(small) as server, ApiClient(server.url, ADMIN_KEY) as api:
        answer = await api.http.post("/api/v1/broadcasts", content=in_pieces(body, 500))
        assert (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "urn:wsx:problem:too_large") == (answer.status_code, answer.json()["type"])
        assert "1024 bytes (WSX_MAX_BODY_BYTES)" in answer.json()["detail"]
        just = body.replace(b"x" * 1024, b"x" * (2048 - len(body)))
        assert (1024, HTTPStatus.ACCEPTED) == (len(just), (await api.http.post("/api/v1/broadcasts", content=just)).status_code)


async def test_a_client_that_goes_away_within_its_body_publishes_nothing(server: Running, logged: Callable[[], str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = json.dumps(NOBODY).encode()
    head = (
        f"POST /api/v1/broadcasts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Length: {len(body) + 1}\r\n"
    )
    writer.write(head.encode() + b"X-Request-ID: cut-off\r\n\r\n" + body)
    await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    told: list[Any] = []
    await eventually(lambda: told.extend(line for line in map(json.loads, logged().splitlines()) if "request_id" in line) or told)
    assert [("request", HTTPStatus.BAD_REQUEST, "cut-off")] == [(one["event"], one["status"], one["request_id"]) for one in told]
    assert reader.at_eof() or not await reader.read()


async def test_options_tells_what_a_path_can_do_and_needs_no_key(server: Running) -> None:
    async with ApiClient(server.url, None) as stranger:
        for path, can_do in (("/broadcasts", "OPTIONS, POST"), ("/rooms/lobby", "DELETE, GET, OPTIONS, PATCH")):
            answer = await stranger.call("OPTIONS", path)
            assert (HTTPStatus.NO_CONTENT, can_do) == (answer.status_code, answer.headers["allow"])


async def test_answers_are_kept_by_nobody(api: ApiClient) -> None:
    sent = await api.post("/broadcasts", NOBODY)
    room = await api.post("/rooms", {"id": "lobby"})
    assert "/api/v1/rooms/lobby" == room.headers["location"]
    gone = await api.delete("/rooms/lobby")
    refused = await api.get("/rooms/lobby")
    for answer in (sent, room, gone, refused):
        assert ["no-store"] == answer.headers.get_list("cache-control"), answer.request
    assert ("application/json", str(len(sent.content))) == (sent.headers["content-type"], sent.headers["content-length"])
    assert ("content-type" in gone.headers, gone.content) == (False, b"")


async def test_every_wrong_parameter_is_named_in_one_answer(api: ApiClient) -> None:
    answer = await api.get("/announcements?limit=0&cursor=" + "x" * 300 + "&state=sideways")
    assert HTTPStatus.UNPROCESSABLE_ENTITY == answer.status_code
    assert {"?limit", "?cursor", "?state"} == {error["pointer"] for error in answer.json()["errors"]}


def test_what_stands_in_the_query_may_be_left_out() -> None:
    for route in ROUTES:
        operation = route.opt["operation"]
        given = {"data", *operation.given, *(name for name in signature(route.fn).parameters if f"{{{name}:" in str(route.paths))}
        asked = [one for name, one in signature(route.fn).parameters.items() if name not in given]
        assert all(one.default is not Parameter.empty for one in asked), route.operation_id


async def test_a_broadcast_costs_few_calls(settings: Settings) -> None:
    app = create_app(settings)
    body = json.dumps(NOBODY).encode()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def post() -> None:
        headers = [(b"host", b"x"), (b"authorization", f"Bearer {ADMIN_KEY}".encode()), (b"content-type", b"application/json")]
        where = {"path": "/api/v1/broadcasts", "raw_path": b"/api/v1/broadcasts", "query_string": b"", "root_path": ""}
        await app({"type": "http", "method": "POST", "headers": headers, "state": {}, **where}, receive, send)

    await post()
    with counted() as found:
        await post()
    assert [HTTPStatus.ACCEPTED] * 2 == [message["status"] for message in sent if "status" in message]
    assert MAX_CALLS >= found["call"], found.most_common(40)
