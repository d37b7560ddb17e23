"""Every error as one shape, over a real request: which field, what is wrong, and nothing of our insides."""

import gzip
import sqlite3
import sys
from contextlib import closing
from http import HTTPStatus

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, run_server
from app.main import describe
from app.web.docs import docs_routes

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}
FINE = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x"}


@pytest.mark.parametrize(
    ("path", "body", "pointer", "said"),
    [
        ("/announcements", {"message": "x"}, "/priority", "missing"),
        ("/announcements", {"message": "x", "priority": "low", "colour": "red"}, "/colour", "field; there are audience,"),
        ("/announcements", {"message": "x", "priority": "low", "missing": 1}, "/missing", "unknown field"),
        ("/announcements", {"message": 5, "priority": "low"}, "/message", "Expected `str`, got `int`"),
        ("/announcements", {"message": "x", "priority": "urgent"}, "/priority", "Invalid enum value 'urgent'"),
        ("/announcements", [], "", "Expected `object`, got `array`"),
        ("/broadcasts", {**FINE, "swap": "sideways"}, "/swap", "sideways"),
        ("/broadcasts", {**FINE, "audience": {"kind": "martians"}}, "/audience/kind", "martians"),
        ("/broadcasts/batch", {"updates": [FINE, {**FINE, "swap": "sideways"}]}, "/updates/1/swap", "sideways"),
        ("/broadcasts/batch", {"updates": [{**FINE, "html": None}]}, "/updates/0/html", "Expected `str`, got `null`"),
        ("/announcements?limit=0", None, "?limit", "of at least 1"),
        ("/announcements?limit=ten", None, "?limit", "a whole number"),
        ("/announcements?priority=urgent", None, "?priority", "one of high, low, medium"),
    ],
)
async def test_a_wrong_field_is_pointed_at(api, path, body, pointer, said):
    answer = await (api.get(path) if body is None else api.post(path, body))
    assert (HTTPStatus.UNPROCESSABLE_ENTITY, "urn:wsx:problem:invalid_fields") == (answer.status_code, answer.json()["type"])
    (error,) = answer.json()["errors"]
    assert pointer == error["pointer"]
    assert said in error["detail"]
    assert MEMBERS | {"errors"} == answer.json().keys()


async def test_a_body_that_cannot_be_read_is_a_bad_request(api):
    for content, said in (
        (b"", "a JSON body is needed"),
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b'{"audience": ' + b'{"kind":"except","audience":' * 5000, "nested too deeply"),
        (b"message=x", "the body is not JSON"),
        (b'{"target": "#a", "html": "\\ud83d"}', "the body is not JSON: half of a surrogate pair (byte 26)"),
        (b'{"target": "\\ud83d\\n"}', "the body is not JSON: half of a surrogate pair (byte 12)"),
        (b'{"target": "\\\\ud83d"', "the body is not JSON: Input data was truncated"),
        (b'{"target": "' + b"x" * 200 + b'\\ud83d"}', "the body is not JSON: half of a surrogate pair (byte 212)"),
        (b'{bad: 1, "target": "\\ud83d"}', "the body is not JSON: JSON is malformed: object keys must be strings"),
        (b'{"target": "#a", "html": "x\xff"}', "the body is not UTF-8: see its byte 27, counted from 0"),
    ):
        answer = await api.http.post("/api/v1/broadcasts", content=content, headers={"Content-Type": "application/json"})
        assert (HTTPStatus.BAD_REQUEST, "urn:wsx:problem:bad_request") == (answer.status_code, answer.json()["type"]), content[:20]
        assert said in answer.json()["detail"]


async def test_a_body_in_a_content_encoding_is_told_that_none_is_read(api):
    body = msgspec.json.encode(FINE)
    refused = await api.http.post("/api/v1/broadcasts", content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "urn:wsx:problem:unsupported_media_type", "identity") == (
        refused.status_code,
        refused.json()["type"],
        refused.headers["accept-encoding"],
    )
    assert "without a Content-Encoding" in refused.json()["detail"]
    plain = await api.http.post("/api/v1/broadcasts", content=body, headers={"Content-Encoding": "Identity"})
    assert HTTPStatus.ACCEPTED == plain.status_code


async def test_a_body_over_the_limit_is_told_the_limit(settings):
    small = msgspec.structs.replace(settings, max_body_bytes=1024)
    async with run_server(small) as server, ApiClient(server.url, ADMIN_KEY) as api:
        answer = await api.post("/broadcasts", {**FINE, "html": "x" * 2048})
        assert (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "urn:wsx:problem:too_large") == (answer.status_code, answer.json()["type"])
        assert "1024 bytes (WSX_MAX_BODY_BYTES)" in answer.json()["detail"]


async def test_what_is_not_there_and_what_is_not_allowed_there(api):
    missing = await api.get("/planets")
    assert (HTTPStatus.NOT_FOUND, "urn:wsx:problem:not_found") == (missing.status_code, missing.json()["type"])
    wrong = await api.delete("/broadcasts")
    assert (HTTPStatus.METHOD_NOT_ALLOWED, "urn:wsx:problem:method_not_allowed") == (wrong.status_code, wrong.json()["type"])
    assert "POST" in wrong.headers["allow"]
    for answer in (missing, wrong):
        assert MEMBERS == answer.json().keys()
        assert ("application/problem+json", "no-store") == (answer.headers["content-type"], answer.headers["cache-control"])
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_failing_database_is_503_and_a_row_that_cannot_be_is_500_and_only_the_log_says_more(api, settings, logged):
    with closing(sqlite3.connect(settings.database_url.partition(":///")[2])) as connection, connection:
        connection.execute("DROP TABLE notifications")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(
            "INSERT INTO announcements (id, title, message, priority, author, created_at)"
            " VALUES ('019312d0c3f77a1bb1d0b8e4a3c5f6d7', '', '', 'urgent', '', '2026-11-23 20:16:03')"
        )
    away = await api.get("/users/ada/notifications")
    assert (HTTPStatus.SERVICE_UNAVAILABLE, "1") == (away.status_code, away.headers["retry-after"])
    mistake = await api.get("/announcements")
    assert (HTTPStatus.INTERNAL_SERVER_ERROR, "urn:wsx:problem:internal_error") == (mistake.status_code, mistake.json()["type"])
    assert mistake.headers["x-request-id"] == mistake.json()["request_id"]
    seen = logged()
    for secret, answer in (("no such table", away), ("urgent", mistake)):
        assert secret in seen
        assert secret not in answer.text


async def test_the_docs_are_a_page_of_their_own(api):
    assert "docs.js" in (await api.http.get("/docs")).text
    assert 1_000_000 < len((await api.http.get("/docs/swagger-ui-bundle.js")).content)


def test_without_the_package_of_the_docs_the_start_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "swagger_ui", None)  # as if it were not installed
    with pytest.raises(RuntimeError, match="swagger-ui-py is missing; run `make install`"):
        docs_routes(describe)
