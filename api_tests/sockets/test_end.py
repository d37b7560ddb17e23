"""`/ws`: how it ends."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from api_tests.client import SocketClient
from api_tests.clock import Clock
from api_tests.server import Running, run_server
from app import wsx
from app.settings import Settings


async def test_a_gone_page_is_forgotten_and_the_hooks_are_told(server: Running) -> None:
    seen: list[str] = []
    server.hub.on_connection(lambda connection: seen.append(f"+{connection.id}"))
    server.hub.on_disconnection(lambda connection: seen.append(f"-{connection.id}"))
    async with server.socket() as page:
        pass
    await server.connected(0)
    assert [f"+{page.id}", f"-{page.id}"] == seen
    assert wsx.connection(page.id) is None


async def test_what_was_said_before_the_close_is_still_heard(server: Running) -> None:
    async with server.socket() as page:
        await wsx.broadcast("#a", "last words")
        server.hub.close(wsx.connection(page.id))
        await wsx.broadcast("#a", "never heard")
        heard = []
        try:
            while True:
                heard.append(json.loads(await page.raw.recv())["html"])
        except ConnectionClosed:
            assert ["last words"] == heard


async def test_a_message_over_the_limit_closes_with_1009(server: Running) -> None:
    async with server.socket() as page:
        await page.raw.send("x" * 70_000)
        assert 1009 == (await page.closed())[0]


async def test_a_token_that_ends_closes_its_socket(clock: Clock, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.hub.sweeps.EXPIRY_SWEEP_S", 0.05)
    async with run_server(settings) as server:
        token = server.token("ada", ttl_s=600)
        async with SocketClient(server.url.replace("http", "ws"), token=token) as ada, server.socket("bob") as bob:
            clock.skip(601)
            assert (4401, "token ended") == await ada.closed()
            await wsx.broadcast("#a", "x")
            assert "x" == (await bob.next())["html"]


async def test_a_restart_says_1012(settings: Settings) -> None:
    async with run_server(settings) as server:
        page = server.socket()
        await page.__aenter__()
    assert (1012, "restarting") == await page.closed()
