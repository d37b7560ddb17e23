"""Where nobody may be nobody: a socket without a token says first who it is, or is closed."""

import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from api_tests.client import SocketClient
from api_tests.server import Running, run_server
from app import wsx
from app.serving.protocol import WsxProtocol
from app.settings import Settings
from app.web.first_word import MAX_MESSAGES

NOT_SAID = 4401, "say first who you are, with a token that is good"
LONG_S = 60.0


@pytest.fixture(params=[WsxProtocol, "websockets-sansio"], ids=["direct", "plain ASGI"])
async def closed_server(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """Of signed-in users only, who have one connection each."""
    settings = msgspec.structs.replace(settings, allow_anonymous=False, auth_timeout_s=LONG_S, max_sockets_per_user=1)
    async with run_server(settings, socket_layer=request.param) as running:
        yield running


def stranger(server: Running, path: str = "/ws", **how: object) -> SocketClient:
    """Offers wsx.v1, and does not wait for its hello."""
    return SocketClient(server.url.replace("http", "ws"), v1=False, subprotocols=["wsx.v1"], path=path, **how)


def saying(token: str, **more: object) -> dict[str, object]:
    return {"id": "req_1", "handler": "authenticate", "target": "#who", "data": {"token": token}, **more}


async def test_whoever_says_it_is_connected_then_and_answered(closed_server: Running) -> None:
    async with stranger(closed_server) as page:
        await wsx.broadcast("#status", "not for strangers")
        await page.say({"type": "active"})
        await page.say(saying(closed_server.token("ada", name="Ada")))
        hello = await page.next()
        assert "hello" == hello["type"]
        answer = await page.next()
        assert ("req_1", "#who", True) == (answer["id"], answer["target"], "Signed in until" in answer["html"])
        await wsx.broadcast("#status", "for ada")
        await page.hears_nothing_but("for ada")
        assert "ada" == wsx.connection(hello["connection"]).user.id


async def test_the_event_may_name_the_handler_and_the_message_be_binary(closed_server: Running) -> None:
    async with stranger(closed_server) as page:
        said = saying(closed_server.token("ada"), handler="", trigger="authenticate")
        await page.raw.send(json.dumps(said).encode())
        assert "hello" == (await page.next())["type"]


async def test_whoever_says_nothing_is_closed_in_time(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, allow_anonymous=False, auth_timeout_s=0.05)
    async with run_server(settings) as server, stranger(server) as silent, stranger(server) as there:
        await there.say({"type": "active"})
        assert [NOT_SAID, NOT_SAID] == [await silent.closed(), await there.closed()]
        async with server.socket("ada") as ada:  # who came with a token is not asked
            await wsx.broadcast("#status", "x")
            assert "x" == (await ada.next())["html"]


@pytest.mark.parametrize(
    "said",
    [
        {"handler": "join-room", "data": {"roomId": "lobby"}},
        {"handler": "authenticate", "data": {}},
        {"handler": "authenticate", "data": {"token": None}},
        {"handler": "authenticate", "data": {"token": "x"}},
        {"handler": "", "data": {}},
        ["no object"],
    ],
    ids=str,
)
async def test_whoever_says_something_else_first_is_closed(closed_server: Running, said: object) -> None:
    async with stranger(closed_server) as page:
        await page.say(said)
        assert NOT_SAID == await page.closed()
    assert 0 == len(closed_server.hub.registry)


async def test_whoever_only_ever_says_that_it_is_there_is_closed_soon(closed_server: Running) -> None:
    async with stranger(closed_server) as page:
        for _ in range(MAX_MESSAGES):
            await page.say({"type": "active"})
        assert NOT_SAID == await page.closed()


async def test_whoever_leaves_without_a_word_leaves_nothing(closed_server: Running) -> None:
    async with stranger(closed_server):
        pass
    async with closed_server.socket("ada"):
        await closed_server.connected(1)


async def test_a_user_has_no_more_connections_so_than_otherwise(closed_server: Running) -> None:
    async with closed_server.socket("ada"), stranger(closed_server) as page:
        await page.say(saying(closed_server.token("ada")))
        assert (4403, "Too many connections") == await page.closed()


async def test_a_page_that_comes_back_has_its_session_again(closed_server: Running) -> None:
    async with closed_server.socket("ada") as before:
        path = f"/ws?session={before.hello['session']}&cursor={before.hello['cursor']}"
        async with stranger(closed_server, path) as page:
            await page.say(saying(closed_server.token("ada")))
            assert (await page.next())["resumed"]
            assert 4403 == (await before.closed())[0]


async def test_a_server_that_stops_meanwhile_takes_nobody_more(closed_server: Running) -> None:
    async with stranger(closed_server) as page:
        closed_server.hub.is_draining = True
        await page.say(saying(closed_server.token("ada")))
        assert 1012 == (await page.closed())[0]
    closed_server.hub.is_draining = False


async def test_a_bad_token_is_refused_before_that(closed_server: Running) -> None:
    async with stranger(closed_server) as page:
        await page.say(saying(closed_server.token("ada", ttl_s=-1)))
        assert NOT_SAID == await page.closed()
