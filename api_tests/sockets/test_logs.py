"""What stands in the lines of the log: whose they are, and nothing secret."""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from websockets.exceptions import InvalidStatus

from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, SECRET, Running
from api_tests.waiting import eventually
from app import Connection, Request, wsx
from app.kernel.errors import Unavailable

FORGED = 'r1\r\n{"event":"forged"}\u2028\x1b[2J'


@pytest.fixture
def lines(logged: Callable[[], str]) -> Callable[[], list[dict[str, Any]]]:
    """All lines since the last call; each is a JSON object, or this fails."""
    return lambda: [json.loads(line) for line in logged().split("\n") if line]


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a site does in its handlers."""

    @wsx.on("note")
    async def note(request: Request, _connection: Connection) -> None:
        await asyncio.sleep(0)
        structlog.get_logger().info("noted", what=request.data["what"])

    @wsx.on("break")
    async def break_down(_request: Request, _connection: Connection) -> None:
        raise LookupError

    @wsx.on("wait")
    async def wait(_request: Request, _connection: Connection) -> None:
        raise Unavailable("the database is away")


@pytest.mark.usefixtures("own_handlers")
async def test_what_a_handler_logs_has_the_ids_of_its_connection_and_request(
    server: Running, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        for number in range(3):
            for page, who in ((ada, "ada"), (bob, "bob")):
                await page.say({"id": f"{who}-{number}", "handler": "note", "data": {"what": f"{who} {number} {page.id}"}})
        for page, handler in ((ada, "break"), (bob, "wait")):
            await page.ask(handler)
        await ada.ask("note", {"what": f"ada 3 {ada.id}"})
    seen = lines()
    noted = [(one["what"].split(), one["request_id"], one["connection"]) for one in seen if one["event"] == "noted"]
    assert 7 == len(noted)
    for (who, number, connection), request_id, said in noted:
        assert (connection, "req_1" if number == "3" else f"{who}-{number}") == (said, request_id)
    for event, handler, page in (("handler failed", "break", ada), ("handler could not be carried out", "wait", bob)):
        (line,) = [one for one in seen if one["event"] == event]
        assert (handler, page.id, "req_1", "error") == tuple(
            line[name] for name in ("handler", "connection", "request_id", "level")
        )


@pytest.mark.usefixtures("own_handlers")
async def test_ids_that_are_made_up_make_no_lines_of_their_own(server: Running, lines: Callable[[], list[dict[str, Any]]]) -> None:
    async with server.socket() as page:
        await page.say({"id": FORGED, "handler": "note", "data": {"what": FORGED}})
        await page.say({"id": "x" * 200, "handler": "note", "data": {"what": "too long an id"}})
        assert "bad_message" == (await page.next_of_type("error"))["code"]
        await page.ask("note", {"what": "the last"})
    noted = {one["what"]: one["request_id"] for one in lines() if one["event"] == "noted"}
    assert {FORGED: FORGED, "the last": "req_1"} == noted


async def test_one_request_has_one_id_in_answer_problem_log_and_audit(
    api: ApiClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = await api.post("/rooms", {"id": 7}, headers={"X-Request-ID": "find.me:1"})
    assert (422, "find.me:1", "find.me:1") == (
        answer.status_code,
        answer.headers["x-request-id"],
        answer.json()["request_id"],
    )
    assert ["find.me:1"] == [one["request_id"] for one in lines() if one.get("path") == "/api/v1/rooms"]


async def test_a_refused_handshake_and_what_comes_later_are_not_taken_for_one(
    server: Running, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    url = server.url.replace("http", "ws")
    for request_id in ("first", "second"):
        with pytest.raises(InvalidStatus):
            await SocketClient(url, token="bad", headers={"X-Request-ID": request_id}).__aenter__()
    refused = [one["request_id"] for one in lines() if one["event"] == "handshake refused"]
    assert ["first", "second"] == refused


async def test_no_secret_is_in_any_line_however_it_is_presented(server: Running, lines: Callable[[], list[dict[str, Any]]]) -> None:
    wrong = [secrets.token_hex(16) for _ in range(6)]
    good = server.token("ada")
    url = server.url.replace("http", "ws")
    ways = [
        {"token": wrong[0]},
        {"path": f"/ws?ticket={wrong[1]}"},
        {"headers": {"Cookie": f"wsx_token={wrong[2]}", "Origin": server.url}},
    ]
    for way in ways:
        with pytest.raises(InvalidStatus):
            await SocketClient(url, **way).__aenter__()
    async with ApiClient(server.url, f"wsx_{wrong[3]}") as stranger, ApiClient(server.url, ADMIN_KEY) as api:
        assert 401 == (await stranger.get("/rooms")).status_code
        made = (await api.post("/connection-tokens", {"user_id": "eve"})).json()["token"]
        ticket = (await api.post("/tickets", {"user_id": "eve"})).json()["ticket"]
        await api.get(f"/nowhere?ticket={ticket}&token={made}")
        key = await api.key_with("admin")
    async with server.socket() as page, server.socket("ada") as ada, SocketClient(url, path=f"/ws?ticket={ticket}"):
        await page.ask("authenticate", {"token": wrong[4]})
        await page.ask("authenticate", {"token": good})
        await ada.ask("private-message", {"recipientId": "ada", "message": wrong[5]})
    await eventually(lambda: len(server.hub.registry) == 0)
    text = json.dumps(lines())
    assert "connection closed" in text
    assert [] == [one for one in (*wrong, good, made, ticket, key, ADMIN_KEY, SECRET) if one in text]
