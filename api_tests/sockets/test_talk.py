"""`/ws`: what is said and answered."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from api_tests.server import Running
from api_tests.waiting import eventually
from app import Connection, Fragment, Reply, Request, wsx

TOO_MANY = 60
"""Messages: what may be said grows back while they are said, on a slow machine too."""


async def test_a_handler_answers_into_the_target_with_the_swap_that_the_page_asked_for(server: Running) -> None:
    @wsx.on("like")
    async def like(request: Request, connection: Connection) -> Reply:
        return Reply(f"{connection.user.name} likes {request.data['what']}")

    async with server.socket("ada", name="Ada") as ada:
        answer = await ada.ask("like", {"what": "tea"}, swap="beforeend")
    assert {"id": "req_1", "target": "#answer", "html": "Ada likes tea", "swap": "beforeend"} == answer


async def test_a_reply_may_name_its_own_places(server: Running) -> None:
    @wsx.on("several")
    async def several(_request: Request, _connection: Connection) -> list[Reply]:
        return [Reply("a", "#a", "textContent", (Fragment("#b", "b"),)), Reply("c")]

    async with server.socket() as page:
        first = await page.ask("several")
        second = await page.next()
    assert ("#a", "a", "textContent", "#b") == (first["target"], first["html"], first["swap"], first["oob"][0]["target"])
    assert ("req_1", "#answer", "c", "innerHTML") == (second["id"], second["target"], second["html"], second["swap"])


async def test_without_a_name_the_trigger_decides_then_the_catch_all(server: Running) -> None:
    @wsx.on("submit")
    async def submitted(_request: Request, _connection: Connection) -> Reply:
        return Reply("submitted")

    @wsx.on()
    async def anything(request: Request, _connection: Connection) -> Reply:
        return Reply(f"anything: {request.handler}")

    async with server.socket() as page:
        assert "submitted" == (await page.ask("", trigger="submit"))["html"]
        assert "anything: other" == (await page.ask("other"))["html"]


async def test_answers_come_in_the_order_of_the_questions(server: Running) -> None:
    @wsx.on("slow")
    async def slow(request: Request, _connection: Connection) -> Reply:
        await asyncio.sleep(0.02 if request.id == "0" else 0)
        return Reply(request.id)

    async with server.socket() as page:
        for number in range(25):
            await page.say({"id": str(number), "handler": "slow", "target": "#a"})
        assert [str(number) for number in range(25)] == [(await page.next())["html"] for _ in range(25)]


async def test_a_handler_that_fails_answers_a_fixed_sentence_and_the_log_has_the_rest(
    server: Running, logged: Callable[[], str]
) -> None:
    @wsx.on("broken")
    async def broken(_request: Request, _connection: Connection) -> Reply:
        message = "the database password is 1234"
        raise RuntimeError(message)

    async with server.socket() as page:
        answer = await page.ask("broken")
    (told,) = page.errors
    assert '<div class="error" data-request-id="req_1">Something went wrong on our side.</div>' == answer["html"]
    assert ("error", "req_1", "handler_failed") == (told["type"], told["id"], told["code"])
    assert "1234" not in json.dumps([answer, told])
    assert "the database password is 1234" in logged()


async def test_an_unknown_handler_and_a_reply_with_a_wrong_swap_are_told(server: Running) -> None:
    @wsx.on("wrong-swap")
    async def wrong(_request: Request, _connection: Connection) -> Reply:
        return Reply("x", swap="explode")

    async with server.socket() as page:
        assert "does not exist" in (await page.ask("nothing", swap="explode"))["html"]
        assert "no_handler" == page.errors[0]["code"]
        assert "Something went wrong" in (await page.ask("wrong-swap"))["html"]


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ("{", ""),
        ("[]", ""),
        ('{"id": "r", "handler": 5}', "r"),
        ('{"id": "r", "data": []}', "r"),
        ('{"id": "r", "data": {"x": "\\ud800"}}', "r"),
        ('{"id": 5}', ""),
        ('{"id": "' + "x" * 200 + '"}', ""),
        ("[" * 50_000, ""),
        (b"\x00\x01", ""),
        (b'{"id": "r", "handler": "\xff"}', "r"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_cannot_be_read_is_told_to_programs_and_the_connection_lives(
    server: Running, text: str | bytes, request_id: str
) -> None:
    async with server.socket() as page:
        await page.raw.send(text)
        told = await page.next()
        assert ("error", "bad_message", request_id) == (told["type"], told["code"], told["id"])
        assert "no_handler" != (await page.ask("x"))["html"]


@pytest.mark.parametrize("data", [None, [], "x", 5, True])
@pytest.mark.parametrize("v1", [True, False])
async def test_data_that_is_no_object_is_told_to_people_too(server: Running, data: object, v1: bool) -> None:
    async with server.socket(v1=v1) as page:
        await page.say({"id": "r", "handler": "join-room", "target": "#a", "swap": "outerHTML", "data": data})
        if v1:
            assert ("error", "r") == ((told := await page.next())["type"], told["id"])
        answer = await page.next()
    assert ("r", "#a", "afterbegin") == (answer["id"], answer["target"], answer["swap"])
    assert '<div class="error" data-request-id="r">This page sent something that cannot be read.</div>' == answer["html"]


async def test_ten_unreadable_messages_in_a_row_end_it(server: Running) -> None:
    async with server.socket(v1=False) as page:
        for _ in range(10):
            await page.raw.send("no JSON")
        assert (1008, "not a message") == await page.closed()


async def test_a_page_that_sends_too_fast_is_told_and_then_closed(server: Running) -> None:
    @wsx.on("x")
    async def answer(_request: Request, _connection: Connection) -> Reply:
        return Reply("ok")

    async with server.socket() as page:
        for number in range(TOO_MANY):
            await page.say({"id": str(number), "handler": "x", "target": "#a"})
        heard: list[dict[str, Any]] = []
        while (answered := sum(message.get("html") == "ok" for message in heard)) < 30 or "Too many messages" not in str(heard):
            heard.append(await page.next())
        assert 30 <= answered < TOO_MANY
        assert "rate_limited" == next(message["code"] for message in heard if message.get("type") == "error")
        with suppress(ConnectionClosed):
            for _ in range(5 * TOO_MANY):
                await page.say({"id": "", "handler": "x"})
        assert (4429, "too many messages") == await page.closed()


async def test_a_sign_of_activity_is_no_request(server: Running) -> None:
    async with server.socket() as page:
        connection = wsx.connection(page.id)
        assert connection is not None
        connection._active_at -= 600  # as if the page had been silent for ten minutes
        await wsx.broadcast("#a", "what is sent to it is no activity")
        await page.raw.ping()
        await page.next()
        assert connection.idle_s >= 600
        await page.say({"type": "active"})
        assert {"id": "", "target": "", "html": "", "swap": "none"} == await page.next()
        assert connection.idle_s < 60
        await page.ask("x")


async def test_who_knows_no_wsx_v1_is_told_nothing_of_its_activity(server: Running) -> None:
    async with server.socket(v1=False) as page:
        await page.say({"type": "active"})
        await page.say({"handler": "x", "target": "#answer"})
        assert "#answer" == (await page.next())["target"]


async def test_session_data_stays_with_the_connection(server: Running) -> None:
    @wsx.on("count")
    async def count(_request: Request, connection: Connection) -> Reply:
        connection.session["n"] = connection.session.get("n", 0) + 1
        return Reply(str(connection.session["n"]))

    async with server.socket() as one, server.socket() as other:
        assert ["1", "2"] == [(await one.ask("count"))["html"] for _ in range(2)]
        assert "1" == (await other.ask("count"))["html"]


async def test_the_error_for_programs_comes_first_so_that_a_promise_knows(server: Running) -> None:
    async with server.socket() as page:
        await page.say({"id": "1", "handler": "nothing", "target": "#a"})
        assert ["error", None] == [(await page.next()).get("type") for _ in range(2)]


async def test_a_handler_that_says_nothing_is_an_answer_that_changes_nothing(server: Running) -> None:
    @wsx.on("quiet")
    async def quiet(_request: Request, _connection: Connection) -> None:
        return None

    async with server.socket() as page, server.socket(v1=False) as plain:
        assert {"id": "req_1", "target": "", "html": "", "swap": "none"} == await page.ask("quiet")
        await plain.say({"id": "1", "handler": "quiet", "target": "#a"})
        assert "does not exist" in (await plain.ask("nothing"))["html"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("beforeend  scroll:bottom", "beforeend scroll:bottom"),
        ("beforeend explode", "innerHTML"),
        ("explode", "innerHTML"),
        ("", "innerHTML"),
        ("outerHTML", "outerHTML"),
    ],
)
async def test_the_swap_that_a_page_asks_for_is_kept_where_it_means_something(server: Running, asked: str, told: str) -> None:
    @wsx.on("x")
    async def answer(_request: Request, _connection: Connection) -> Reply:
        return Reply("ok")

    async with server.socket() as page:
        assert told == (await page.ask("x", swap=asked))["swap"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("outerHTML", "afterbegin"),
        ("delete", "afterbegin"),
        ("textContent", "innerHTML"),
        ("beforeend", "beforeend"),
        ("none", "none"),
    ],
)
async def test_an_error_takes_nothing_from_the_page(server: Running, asked: str, told: str) -> None:
    async with server.socket() as page:
        assert told == (await page.ask("nothing", swap=asked))["swap"]


async def test_an_answer_that_cannot_be_sent_and_a_handler_that_is_cancelled_are_errors_and_the_next_is_answered(
    server: Running,
) -> None:
    @wsx.on("unsendable")
    async def unsendable(_request: Request, _connection: Connection) -> Reply:
        return Reply("\udcff")

    @wsx.on("cancelled")
    async def cancelled(_request: Request, _connection: Connection) -> Reply:
        raise asyncio.CancelledError

    async with server.socket() as page:
        assert "Something went wrong" in (await page.ask("unsendable"))["html"]
        assert "Something went wrong" in (await page.ask("cancelled"))["html"]
        assert "does not exist" in (await page.ask("nothing"))["html"]
    assert ["handler_failed", "handler_failed", "no_handler"] == [error["code"] for error in page.errors]


async def test_a_page_that_submits_and_leaves_has_submitted(server: Running) -> None:
    done: list[str] = []

    @wsx.on("slow")
    async def slow(request: Request, _connection: Connection) -> Reply:
        await asyncio.sleep(0.01)
        done.append(request.id)
        return Reply("nobody reads this")

    async with server.socket() as page:
        for number in range(10):
            await page.say({"id": str(number), "handler": "slow"})
    await eventually(lambda: len(done) == 10)


async def test_a_page_that_was_closed_does_nothing_more(server: Running) -> None:
    done: list[str] = []
    may_go_on = asyncio.Event()

    @wsx.on("slow")
    async def slow(request: Request, _connection: Connection) -> None:
        done.append(request.id)
        await may_go_on.wait()

    async with server.socket() as page:
        connection = wsx.connection(page.id)
        assert connection is not None
        for number in range(10):
            await page.say({"id": str(number), "handler": "slow"})
        await eventually(lambda: done and connection.received_count == 10)
        connection.close()
        may_go_on.set()
        await page.closed()
    await server.connected(0)
    assert ["0"] == done
