"""Sockets of clients that are not ours: the same checks."""

import json

import httpx
import msgspec
import pytest

from api_tests.server import Running, run_server
from api_tests.waiting import eventually
from app.hub.sweeps import close_idle
from app.settings import Settings

OTHERS = ("/ws/htmx", "/ws/turbo")


async def test_who_cannot_say_that_somebody_is_there_is_not_idle(server: Running):
    async with (
        server.events(),
        server.socket(path="/ws/htmx", v1=False),
        server.socket(path="/ws/turbo", v1=False),
        server.socket(),
    ):
        server.silent_for(4_000)
        list(close_idle(server.hub, 1_800))
        assert {"sse", "htmx", "turbo"} == {connection.dialect.name for connection in server.hub.registry}


async def test_a_socket_of_another_client_passes_the_same_checks(server: Running):
    cookie = {"Cookie": f"wsx_token={server.token('ada')}"}
    for path in OTHERS:
        async with (
            server.socket(path=path, v1=False, headers=cookie),
            server.socket(path=path, v1=False, origin=server.url, headers=cookie),
        ):
            await server.connected(2)
            assert [None, "ada"] == [one.user and one.user.id for one in server.hub.registry]
        await server.connected(0)
        for refused in ({"origin": "https://evil.example"}, {"headers": {"Cookie": "wsx_token=bad"}, "origin": server.url}):
            with pytest.raises(Exception, match=r"40[13]"):
                async with server.socket(path=path, v1=False, **refused):
                    pass


async def test_where_nobody_may_be_nobody_other_clients_say_who_they_are_first(settings: Settings):
    async with run_server(msgspec.structs.replace(settings, allow_anonymous=False)) as server:
        for path in OTHERS:
            async with server.socket(path=path, v1=False) as page:
                who = {"token": server.token("ada")}
                form = {"wx-send": "authenticate", **who, "HEADERS": {}}
                await page.say(form if path == "/ws/htmx" else {"handler": "authenticate", "data": who})
                await eventually(lambda: server.hub.registry.is_connected("ada"))
            await server.connected(0)


async def test_other_addresses_are_no_sockets_and_sockets_no_pages(server: Running):
    for path in ("/ws/morse", "/ws/htmx/", "/wsx"):
        with pytest.raises(Exception, match="404"):
            async with server.socket(path=path, v1=False):
                pass
    async with httpx.AsyncClient() as client:
        assert [426] * 2 == [(await client.get(f"{server.url}{path}")).status_code for path in OTHERS]


async def test_what_cannot_be_read_is_answered_to_a_page_of_htmx(server: Running):
    async with server.socket(path="/ws/htmx", v1=False) as page:
        for text in ("[]", "{", json.dumps({"wx-send": 1}), "[" * 2_000):
            await page.raw.send(text)
        await page.say({"wx-send": "nothing", "wx-target": "#a"})
        assert "does not exist here" in await page.raw.recv()
