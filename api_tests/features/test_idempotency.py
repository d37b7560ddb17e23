"""A POST under an `Idempotency-Key` is carried out once: answered again, refused for another body, and never done twice."""

from http import HTTPStatus
from typing import Any

import pytest
from litestar import Response

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.db.beside import all_stored, rows
from api_tests.features.statements import counted_statements
from api_tests.server import Running
from app.kernel.errors import Unavailable
from app.main import ROUTES
from app.settings import Settings

KEPT = "SELECT owner, key, status FROM idempotency_keys ORDER BY key"
ANNOUNCED = "SELECT count(*) FROM announcements"
NEWS = {"message": "Back in five minutes", "priority": "high"}
ONCE = {"Idempotency-Key": "order-1"}


async def test_what_comes_again_is_answered_again_and_not_done_again(settings: Settings, api: ApiClient) -> None:
    first = await api.post("/announcements", NEWS, headers=ONCE)
    again = await api.post("/announcements", NEWS, headers=ONCE)
    assert (HTTPStatus.CREATED, HTTPStatus.CREATED) == (first.status_code, again.status_code)
    assert first.content == again.content
    for name in ("location", "content-type", "cache-control", "content-length"):
        assert [first.headers[name]] == again.headers.get_list(name)
    assert (None, "true") == (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"])
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert "ratelimit" in again.headers
    assert [(1,)] == rows(settings, ANNOUNCED)


@pytest.mark.parametrize(("path", "body"), [("/announcements", {**NEWS, "title": "x"}), ("/rooms", {})])
async def test_a_key_is_for_one_request(api: ApiClient, path: str, body: Any) -> None:
    await api.post("/announcements", NEWS, headers=ONCE)
    other = await api.post(path, body, headers=ONCE)
    assert (HTTPStatus.UNPROCESSABLE_ENTITY, "urn:wsx:problem:idempotency_key_reused") == (other.status_code, other.json()["type"])
    assert "24 hours" in other.json()["detail"]
    assert HTTPStatus.CREATED == (await api.post(path, body, headers={"Idempotency-Key": "order-2"})).status_code


async def test_two_api_keys_may_use_the_same_words(settings: Settings, api: ApiClient) -> None:
    key = await api.key_with("announcements:write")
    async with ApiClient(api.url, key) as other:
        answers = [await client.post("/announcements", NEWS, headers=ONCE) for client in (api, other)]
    assert all("idempotency-replayed" not in answer.headers for answer in answers)
    assert [("", "order-1", 201), (key.split("_")[1], "order-1", 201)] == sorted(rows(settings, KEPT))


async def test_what_the_operation_refuses_uses_no_key_up_either(settings: Settings, api: ApiClient) -> None:
    missing = await api.post("/rooms/nowhere/messages", {"message": "x"}, headers=ONCE)
    assert (HTTPStatus.NOT_FOUND, []) == (missing.status_code, rows(settings, KEPT))
    await api.post("/rooms", {"id": "nowhere"})
    stored = await api.post("/rooms/nowhere/messages", {"message": "y"}, headers=ONCE)
    assert (HTTPStatus.CREATED, None) == (stored.status_code, stored.headers.get("idempotency-replayed"))
    assert [("", "order-1", 201)] == rows(settings, KEPT)


async def test_what_is_refused_before_it_begins_uses_no_key_up(settings: Settings, api: ApiClient) -> None:
    async with ApiClient(api.url, await api.key_with("rooms:read")) as weak:
        assert HTTPStatus.FORBIDDEN == (await weak.post("/announcements", NEWS, headers=ONCE)).status_code
    assert HTTPStatus.UNPROCESSABLE_ENTITY == (await api.post("/announcements", {"message": "x"}, headers=ONCE)).status_code
    assert HTTPStatus.BAD_REQUEST == (await api.http.post("/api/v1/announcements", content=b"{", headers=ONCE)).status_code
    assert [] == rows(settings, KEPT)
    assert HTTPStatus.CREATED == (await api.post("/announcements", NEWS, headers=ONCE)).status_code


@pytest.mark.parametrize("key", [b"", b"two words", b"x" * 256, b"caf\xe9", b"tab\there"])
async def test_a_key_that_cannot_be_is_refused(settings: Settings, api: ApiClient, key: bytes) -> None:
    answer = await api.http.post("/api/v1/announcements", json=NEWS, headers={b"Idempotency-Key": key})
    assert (HTTPStatus.BAD_REQUEST, True) == (answer.status_code, "1 to 255 printable ASCII" in answer.json()["detail"])
    assert [(0,)] == rows(settings, ANNOUNCED)


async def test_two_keys_in_one_request_are_refused_and_the_longest_is_taken(api: ApiClient) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert HTTPStatus.BAD_REQUEST == (await api.http.post("/api/v1/announcements", json=NEWS, headers=twice)).status_code
    assert HTTPStatus.CREATED == (await api.post("/announcements", NEWS, headers={"Idempotency-Key": "~" * 255})).status_code


async def test_only_a_post_has_a_key_and_without_one_nothing_is_asked_of_the_database(settings: Settings, api: ApiClient) -> None:
    for _ in range(2):
        assert (await api.put("/users/ada", {"name": "Ada"}, headers=ONCE)).is_success
    assert [] == rows(settings, KEPT)
    with counted_statements() as seen:
        await api.broadcast("x")
        await api.post("/connections/search", {"audience": {"kind": "everyone"}}, headers=ONCE)  # which changes nothing
    assert [] == [statement for statement in seen if "idempotency_keys" in statement]


async def test_a_key_that_was_made_is_not_shown_again(settings: Settings, api: ApiClient) -> None:
    wanted = {"name": "shop", "scopes": ["broadcasts:write"]}
    made = await api.post("/api-keys", wanted, headers=ONCE)
    again = await api.post("/api-keys", wanted, headers=ONCE)
    assert (HTTPStatus.CREATED, HTTPStatus.CONFLICT) == (made.status_code, again.status_code)
    assert ("urn:wsx:problem:answer_lost", False) == (again.json()["type"], "retry-after" in again.headers)
    assert made.json()["key"].rpartition("_")[2] not in all_stored(settings)
    assert 1 == len((await api.get("/api-keys")).json()["items"])


def test_no_answer_that_holds_a_secret_is_kept() -> None:
    for route in ROUTES:
        given = route.parsed_return_field
        kind = given.inner_types[0].annotation if given.is_subclass_of(Response) else given.annotation
        if {"key", "token", "ticket", "secret"} & set(getattr(kind, "__struct_fields__", ())):
            assert not route.opt["operation"].keeps_answer, f"{route.operation_id}: keeps_answer=False is missing"


async def test_after_a_day_a_key_is_new(clock: Clock, settings: Settings, api: ApiClient) -> None:
    await api.post("/announcements", NEWS, headers=ONCE)
    clock.skip(24 * 3600 - 1)
    assert "idempotency-replayed" in (await api.post("/announcements", NEWS, headers=ONCE)).headers
    clock.skip(1)
    other = await api.post("/announcements", {**NEWS, "title": "x"}, headers=ONCE)
    assert (HTTPStatus.CREATED, "x") == (other.status_code, other.json()["title"])
    assert [("", "order-1", 201)] == rows(settings, KEPT)


async def test_an_operation_that_fails_leaves_its_key_to_the_next_try(
    server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = server.hub.publish

    async def away(_publication: object) -> None:
        raise Unavailable("the journal is away")

    body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x"}
    monkeypatch.setattr(server.hub, "publish", away)
    assert HTTPStatus.SERVICE_UNAVAILABLE == (await api.post("/broadcasts", body, headers=ONCE)).status_code
    monkeypatch.setattr(server.hub, "publish", publish)
    sent = await api.post("/broadcasts", body, headers=ONCE)
    assert (HTTPStatus.ACCEPTED, False) == (sent.status_code, "idempotency-replayed" in sent.headers)
