"""A page whose `hello` was lost comes back by the session that it knows; nobody has one session twice, or a socket too many."""

from typing import Any

import pytest

from api_tests.server import Running
from api_tests.sockets.returning import Visit, Visitor, away
from api_tests.sockets.test_entry import refused
from api_tests.waiting import eventually
from app import wsx

ALL = "{&#34;kept&#34;: 1} hall"
BACK_ELSEWHERE = 4403, "this page is back by another connection"


async def with_notes(server: Running) -> Visitor:
    """A page that is away, and has a note and a room."""
    visitor = Visitor(server, "ada")
    async with visitor.visit() as page:
        await page.ask("keep", {"what": 1})
    await away(visitor)
    return visitor


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_a_page_that_is_cut_off_before_its_hello_has_all_again_next_time(
    server: Running, notes: None, is_noticed: bool
) -> None:
    visitor = await with_notes(server)
    await wsx.send_to_room("hall", "#a", "missed")
    said = visitor.path
    lost: list[Visit] = []
    for _ in range(3):
        lost.append(visitor.visit(v1=False, subprotocols=["wsx.v1", f"wsx.token.{server.token('ada')}"]))
        await lost[-1].__aenter__()  # and reads nothing
        if is_noticed:
            lost.pop().raw.transport.abort()
            await away(visitor)
    assert said == visitor.path
    async with visitor.visit() as page:
        assert page.hello["resumed"]
        await page.hear("missed")
        assert ALL == (await page.ask("recall"))["html"]
        assert [BACK_ELSEWHERE] * len(lost) == [await one.closed() for one in lost]
        await server.connected(1)


async def test_of_two_that_name_one_session_the_first_is_closed(server: Running, notes: None) -> None:
    visitor = await with_notes(server)
    said = visitor.path
    async with visitor.visit() as page, visitor.visit(path=said) as other:
        assert (True, True) == (page.hello["resumed"], other.hello["resumed"])
        assert page.hello["session"] != other.hello["session"]
        assert BACK_ELSEWHERE == await page.closed()
        assert ALL == (await other.ask("recall"))["html"]


@pytest.mark.parametrize("by", ["bob", None])
async def test_a_session_that_was_taken_over_is_still_for_its_own_user_only(server: Running, notes: None, by: str | None) -> None:
    visitor = await with_notes(server)
    said = visitor.path
    async with visitor.visit() as page, visitor.visit(path=said, user_id=by) as other:
        assert not other.hello["resumed"]
        assert "{} " == (await other.ask("recall"))["html"]
        assert ALL == (await page.ask("recall"))["html"]


async def test_whoever_comes_back_takes_the_place_of_its_old_socket_among_those_that_a_user_may_have(
    server: Running, notes: None
) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit() as old, server.socket("ada"):
        await old.ask("keep", {"what": 1})
        assert 429 == (await refused(server.socket("ada")))[0]
        said = visitor.path
        for _ in range(3):
            async with visitor.visit(path=said) as page:
                assert ALL == (await page.ask("recall"))["html"]
                await server.connected(2)
                assert 429 == (await refused(server.socket("ada")))[0]
        assert BACK_ELSEWHERE == await old.closed()


async def test_another_users_session_or_one_that_is_over_makes_no_room_for_one_more(server: Running, notes: None) -> None:
    over = await with_notes(server)
    visitor = Visitor(server, "ada")
    async with visitor.visit(), server.socket("bob"), server.socket("bob"):
        assert 429 == (await refused(visitor.visit(user_id="bob")))[0]
        async with server.socket("ada"):
            assert 429 == (await refused(over.visit()))[0]
        await eventually(lambda: len(server.hub.registry.of_user("ada")) == 1)
        async with over.visit() as page:  # it was refused, and that has cost it nothing
            assert ALL == (await page.ask("recall"))["html"]


async def test_a_handshake_that_fails_costs_no_session(server: Running, notes: None) -> None:
    visitor = await with_notes(server)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        assert "websocket.accept" == message["type"]
        raise ConnectionError

    scope = {
        "type": "websocket",
        "path": "/ws",
        "scheme": "ws",
        "headers": [],
        "query_string": visitor.path.partition("?")[2].encode(),
        "subprotocols": ["wsx.v1", f"wsx.token.{server.token('ada')}"],
    }
    with pytest.raises(ConnectionError):
        await server.uvicorn.config.loaded_app(scope, receive, send)
    async with visitor.visit() as page:
        assert page.hello["resumed"]
        assert ALL == (await page.ask("recall"))["html"]
