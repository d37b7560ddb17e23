"""The matrix of hearing, by every way in: a client of another kind hears what one of ours would, and nothing else."""

import asyncio

import pytest

from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.waiting import SOON_S
from app.web.socket import OTHER_DIALECTS
from app.wire.events import STREAMS

AUDIENCES = {
    "everyone": {"kind": "everyone"},
    "signed-in": {"kind": "signed_in"},
    "ada": {"kind": "users", "ids": ["ada"]},
    "admins": {"kind": "roles", "names": ["admin"]},
    "lobby": {"kind": "rooms", "ids": ["lobby"]},
}
HEARD = {None: {"everyone"}, "ada": {"everyone", "signed-in", "ada", "lobby"}, "eve": {"everyone", "signed-in"}}
"""By user; Ada alone is in the lobby."""


async def _say_all(api: ApiClient) -> None:
    for name, audience in {**AUDIENCES, "the end": {"kind": "everyone"}}.items():
        await api.broadcast(f"[{name}]", "#heard", audience, swap="beforeend")


def _words(heard: str) -> set[str]:
    return {name for name in AUDIENCES if f"[{name}]" in heard}


@pytest.mark.parametrize("user", HEARD)
@pytest.mark.parametrize("path", OTHER_DIALECTS)
async def test_sockets_of_other_clients_hear_what_is_meant_for_them(server: Running, api: ApiClient, path: str, user: str | None):
    async with server.socket(user, path=path, v1=False) as page:
        await server.connected(1)
        _join_ada(server)
        await _say_all(api)
        heard = ""
        async with asyncio.timeout(SOON_S):
            while "[the end]" not in heard:
                heard += str(await page.raw.recv())
    assert HEARD[user] == _words(heard)


@pytest.mark.parametrize("user", HEARD)
@pytest.mark.parametrize("dialect", STREAMS)
async def test_streams_hear_what_is_meant_for_them(server: Running, api: ApiClient, dialect: str, user: str | None):
    async with server.events(user, query=f"?dialect={dialect}") as stream:
        _join_ada(server)
        await _say_all(api)
        heard = ""
        while "[the end]" not in heard:
            heard += (await stream.next()).data
    assert HEARD[user] == _words(heard)


def _join_ada(server: Running) -> None:
    for connection in server.hub.registry.of_user("ada"):
        server.hub.registry.join(connection, "lobby")
