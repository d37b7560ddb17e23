"""`/ws`: a handler's own no."""

from collections.abc import Callable

from api_tests.server import Running
from app import Connection, Reply, Request, wsx
from app.hub.paced import QueueFull
from app.kernel.errors import FieldError, InvalidFields, NotFound, Refused

REFUSALS = [
    (Refused("Please log in to send messages"), "refused", "Please log in to send messages"),
    (Refused("<b>No</b> & 'no'", code="room_full"), "room_full", "&lt;b&gt;No&lt;/b&gt; &amp; &#x27;no&#x27;"),
    (NotFound("there is no such message"), "not_found", "there is no such message"),
    (QueueFull("too many wait", retry_after_s=5), "queue_full", "too many wait"),
    (InvalidFields([FieldError("/roomId", "is missing")]), "invalid_fields", "/roomId: is missing"),
]


async def test_a_handler_says_no_in_its_own_words_to_people_and_by_a_code_to_programs(
    server: Running, logged: Callable[[], str]
) -> None:
    @wsx.on("refuse")
    async def refuse(request: Request, _connection: Connection) -> Reply:
        raise REFUSALS[request.data["which"]][0]

    async with server.socket() as page:
        for which, (error, code, shown) in enumerate(REFUSALS):
            answer = await page.ask("refuse", {"which": which}, swap="outerHTML")
            assert {"id": "req_1", "target": "#answer", "html": f'<div class="error">{shown}</div>', "swap": "afterbegin"} == answer
            assert {"type": "error", "id": "req_1", "code": code, "detail": error.detail} == page.errors[-1]
    assert "handler failed" not in logged()


async def test_a_no_without_a_target_is_for_programs_alone(server: Running) -> None:
    @wsx.on("refuse")
    async def refuse(_request: Request, _connection: Connection) -> Reply:
        raise Refused("not here")

    async with server.socket() as page:
        for request_id in ("first", "second"):
            await page.say({"id": request_id, "handler": "refuse"})
            assert {"type": "error", "id": request_id, "code": "refused", "detail": "not here"} == await page.next()
