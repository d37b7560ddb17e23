"""A POST under an `Idempotency-Key` is carried out once: answered again, refused for another body, and never done twice."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from litestar import Response
from sqlalchemy import text

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.db.beside import all_stored, others_write, rows
from api_tests.features.statements import counted_statements
from api_tests.server import Running
from api_tests.waiting import MS, eventually
from app.db.session import Database
from app.features import sweeping
from app.features.idempotency import IdempotentCalls, service
from app.features.services import Services
from app.hub.lease import Owner, OwnLease
from app.kernel.errors import AppError, Unavailable
from app.main import ROUTES
from app.settings import Settings
from app.web.answer import Answer
from app.web.idempotency import Asked

KEPT = "SELECT owner, key, status FROM idempotency_keys ORDER BY key"
ANNOUNCED = "SELECT count(*) FROM announcements"
NEWS = {"message": "Back in five minutes", "priority": "high"}
ASKED = Asked("", "order-1", b"f" * 32)
DONE = Answer(201, [(b"location", "/caf\xe9".encode("latin-1"))], b'{"id":1}')
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


async def test_a_refusal_of_the_operation_is_kept_too(api: ApiClient) -> None:
    missing = await api.post("/rooms/nowhere/messages", {"message": "x"}, headers=ONCE)
    await api.post("/rooms", {"id": "nowhere"})
    again = await api.post("/rooms/nowhere/messages", {"message": "x"}, headers=ONCE)
    assert (HTTPStatus.NOT_FOUND, missing.content) == (again.status_code, again.content)
    assert ("true", "application/problem+json") == (again.headers["idempotency-replayed"], again.headers["content-type"])


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


async def test_expired_keys_are_swept_in_steps(
    settings: Settings, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "REST_S", 0)
    services = _services(settings, database)
    calls = IdempotentCalls(services)
    for number in range(5):
        await calls.carry_out(ASKED._replace(key=f"old-{number}"), _answers(DONE), keeps_answer=True)
    monkeypatch.setattr(service, "KEPT_FOR", timedelta(days=2))
    await calls.carry_out(ASKED._replace(key="new"), _answers(DONE), keeps_answer=True)
    clock.skip(25 * 3600)
    services.lease.owner = Owner.ELSEWHERE
    monkeypatch.setattr(service, "SWEEP_EVERY_S", 1 * MS)
    async with service.running(services):
        services.lease.owner = Owner.HERE
        await eventually(lambda: [("", "new", 201)] == rows(settings, KEPT))


def _services(settings: Settings, database: Database) -> Services:
    return Services(settings, database, None, None, everywhere=object(), lease=OwnLease())  # type: ignore[arg-type]


def _answers(answer: Answer) -> Any:
    async def work() -> Answer:
        return answer

    return work


@pytest.fixture
def calls(settings: Settings, database: Database) -> IdempotentCalls:
    return IdempotentCalls(_services(settings, database))


async def test_of_many_at_once_on_two_nodes_one_is_carried_out(settings: Settings, calls: IdempotentCalls) -> None:
    elsewhere = Database(settings.database_url)
    others = IdempotentCalls(_services(settings, elsewhere))
    done: list[int] = []
    go_on = asyncio.Event()

    async def work() -> Answer:
        done.append(1)
        await go_on.wait()
        return DONE

    async def ask(node: IdempotentCalls) -> str:
        try:
            return str((await node.carry_out(ASKED, work, keeps_answer=True)).status)
        except AppError as error:
            return f"{error.code} {error.headers.get('Retry-After')}"

    asking = [asyncio.create_task(ask(node)) for node in (calls, others) * 5]
    await eventually(lambda: sum(task.done() for task in asking) == 9)
    go_on.set()
    assert ["201"] + ["still_running 1"] * 9 == sorted(await asyncio.gather(*asking))
    assert [1] == done
    again = await others.carry_out(ASKED, work, keeps_answer=True)
    assert ((201, DONE.body), DONE.headers[0]) == ((again.status, again.body), again.headers[0])
    await elsewhere.close()


async def test_what_came_to_nothing_is_carried_out_anew(settings: Settings, calls: IdempotentCalls) -> None:
    async def fails() -> Answer:
        raise Unavailable("the database cannot be used")

    for _ in range(2):
        with pytest.raises(Unavailable):
            await calls.carry_out(ASKED, fails, keeps_answer=True)
    assert [] == rows(settings, KEPT)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)


async def store(database: Database, name: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO dashboard_figures VALUES (:name, 0, 1, '2026-11-23')"), {"name": name})


async def test_what_was_stored_before_it_failed_is_not_done_again(calls: IdempotentCalls, database: Database) -> None:
    async def fails_late() -> Answer:
        await store(database, "one")
        raise Unavailable("the other half did not work")

    with pytest.raises(Unavailable):
        await calls.carry_out(ASKED, fails_late, keeps_answer=True)
    with pytest.raises(AppError, match="was carried out, at least in part") as lost:
        await calls.carry_out(ASKED, fails_late, keeps_answer=True)
    assert (409, "answer_lost") == (lost.value.status, lost.value.code)


async def test_a_process_that_died_is_waited_for_a_minute_and_what_it_stored_counts(
    settings: Settings, calls: IdempotentCalls, database: Database, clock: Clock
) -> None:
    """It is cut off as a kill would: nothing of it runs any more, and nothing was written down of its end."""
    reached = asyncio.Event()

    async def dies(name: str) -> Answer:
        if name:
            await store(database, name)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    for key, name in (("stored", "one"), ("not stored", "")):
        reached.clear()
        dying = asyncio.create_task(calls.carry_out(ASKED._replace(key=key), lambda name=name: dies(name), keeps_answer=True))
        await reached.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        with pytest.raises(service.StillRunning):
            await calls.carry_out(ASKED._replace(key=key), _answers(DONE), keeps_answer=True)
    clock.skip(60)
    with pytest.raises(service.AnswerLost):
        await calls.carry_out(ASKED._replace(key="stored"), _answers(DONE), keeps_answer=True)
    assert DONE == await calls.carry_out(ASKED._replace(key="not stored"), _answers(DONE), keeps_answer=True)


async def test_who_was_slower_than_its_claim_stores_nothing_any_more(
    settings: Settings, calls: IdempotentCalls, database: Database, clock: Clock
) -> None:
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def sleeps() -> Answer:
        begun.set()
        await go_on.wait()
        await store(database, "late")
        return DONE

    slow = asyncio.create_task(calls.carry_out(ASKED, sleeps, keeps_answer=True))
    await begun.wait()
    clock.skip(61)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)
    go_on.set()
    with pytest.raises(service.StillRunning):
        await slow
    assert [(0,)] == rows(settings, "SELECT count(*) FROM dashboard_figures")
    assert DONE.body == (await calls.carry_out(ASKED, sleeps, keeps_answer=True)).body


async def test_what_a_task_stores_behind_the_answer_is_its_own_affair(calls: IdempotentCalls, database: Database) -> None:
    go_on = asyncio.Event()
    behind: list[asyncio.Task[None]] = []

    async def later() -> None:
        await go_on.wait()
        await store(database, "later")

    async def work() -> Answer:
        behind.append(asyncio.create_task(later()))
        return DONE

    await calls.carry_out(ASKED, work, keeps_answer=True)
    with counted_statements() as seen:
        go_on.set()
        await behind[0]
    assert ["INSERT INTO dashboard_figures"] == [statement[:29] for statement in seen]


async def test_a_very_large_answer_is_not_kept_and_nothing_is_done_twice(
    calls: IdempotentCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_BODY_BYTES", 7)
    assert DONE == await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)
    with pytest.raises(service.AnswerLost):
        await calls.carry_out(ASKED, _answers(DONE), keeps_answer=True)


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(settings: Settings) -> None:
    database = Database(settings.database_url)
    calls = IdempotentCalls(_services(settings, database))
    async with AsyncExitStack() as held:

        async def work() -> Answer:
            await store(database, "one")
            await held.enter_async_context(others_write(settings))
            return DONE

        assert DONE == await calls.carry_out(ASKED, work, keeps_answer=True)
    with pytest.raises(service.StillRunning):
        await calls.carry_out(ASKED, work, keeps_answer=True)
    await database.close()


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
