"""JSON that is meant to hurt: by REST a problem document, on the socket an error or a close, and never a mistake of ours."""

import json
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed

from api_tests.abuse.test_floods import complaints
from api_tests.client import ApiClient
from api_tests.server import Running

UNREADABLE = frozenset({HTTPStatus.BAD_REQUEST})
WRONG = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY})
EITHER = UNREADABLE | WRONG


def keys(count: int) -> str:
    return "{" + ",".join(f'"k{number}":0' for number in range(count)) + "}"


class Hurting(NamedTuple):
    """A value, where a text or a number is wanted."""

    name: str
    text: str
    statuses: frozenset[HTTPStatus]
    codes: frozenset[str] = frozenset({"bad_message", "bad_data"})
    """Of the error on the socket."""
    close: int | None = None


HURTING = (
    Hurting("100,000 lists deep", "[" * 100_000 + "]" * 100_000, EITHER, close=1009),
    Hurting("30,000 lists deep", "[" * 30_000 + "]" * 30_000, EITHER),
    Hurting("10,000 objects deep", '{"a":' * 10_000 + "0" + "}" * 10_000, EITHER),
    Hurting("a million keys", keys(1_000_000), frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE}), close=1009),
    Hurting("5,000 keys", keys(5_000), WRONG),
    Hurting("NaN", "NaN", UNREADABLE),
    Hurting("Infinity", "-Infinity", UNREADABLE),
    Hurting("a number beyond all", "1e999", EITHER),
    Hurting("10,000 digits", "9" * 10_000, EITHER),
    Hurting("a lone surrogate", r'"\ud800"', UNREADABLE),
    Hurting("a surrogate the wrong way round", r'"\udc00\ud800"', UNREADABLE),
    Hurting("NUL", r'"\u0000"', WRONG),
    Hurting("a control character", '"\x01"', UNREADABLE),
    Hurting("half a text", '"', UNREADABLE),
    Hurting("a text without end", '"' + "x" * 60_000, UNREADABLE),
)
PLACES = (("/rooms", "name"), ("/notifications", "title"), ("/local-events", "radius_km"))


@pytest.mark.parametrize("hurting", HURTING, ids=[one.name for one in HURTING])
async def test_it_is_the_same_by_rest_and_by_socket(
    server: Running, api: ApiClient, hurting: Hurting, logged: Callable[[], str]
) -> None:
    for path, field in PLACES:
        answer = await api.http.post(f"/api/v1{path}", content=f'{{"{field}": {hurting.text}}}'.encode())
        assert answer.status_code in hurting.statuses, answer.text
        assert "application/problem+json" == answer.headers["content-type"]
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= answer.json().keys()
    async with server.socket("ada") as ada:
        request = f'{{"id": "r", "handler": "private-message", "data": {{"recipientId": "ada", "message": {hurting.text}}}}}'
        if hurting.close is None:
            await ada.raw.send(request)
            assert (await ada.next())["code"] in hurting.codes
            assert "Location set" in (await ada.ask("set-location", {"latitude": 1, "longitude": 2}))["html"]
        else:
            with suppress(ConnectionClosed):  # it may be closed before all was sent
                await ada.raw.send(request)
            code, reason = await ada.closed()
            assert (hurting.close, True) == (code, "65536 bytes" in reason)
    assert [] == complaints(logged())


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x00", b'{"name": "\xed\xa0\x80"}'])
async def test_what_is_not_utf_8_is_no_json(api: ApiClient, body: bytes) -> None:
    answer = await api.http.post("/api/v1/rooms", content=body)
    assert (HTTPStatus.BAD_REQUEST, "urn:wsx:problem:bad_request") == (answer.status_code, answer.json()["type"])


async def test_a_name_that_is_there_twice_counts_once(api: ApiClient) -> None:
    answer = await api.http.post("/api/v1/rooms", content=b'{"id": "a", "name": "first", "name": "last"}')
    assert (HTTPStatus.CREATED, "last") == (answer.status_code, json.loads(answer.content)["name"])
