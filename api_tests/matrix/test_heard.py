"""The matrix of hearing: who hears what is published to each kind of audience, at once, and who catches up on it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, get_args

import msgspec
import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.features.following import befriend, follow
from api_tests.server import Running
from app.hub.audience import Audience

NOBODY, ADA, EVE, ROOT = "nobody", "ada", "eve", "root"
_USERS_ADA = {"kind": "users", "ids": ["ada"]}
_LOBBY = {"kind": "rooms", "ids": ["lobby"]}
HEARD: Mapping[str, tuple[Mapping[str, Any], set[str]]] = {
    "everyone": ({}, {NOBODY, ADA, EVE, ROOT}),
    "signed_in": ({}, {ADA, EVE, ROOT}),
    "users": ({"ids": ["ada", "ben"]}, {ADA}),
    "rooms": ({"ids": ["lobby", "cellar"]}, {ADA, EVE}),
    "roles": ({"names": ["admin"]}, {ROOT}),
    "followers_of": ({"user_id": "ada"}, {EVE, ROOT}),
    "friends_of": ({"user_id": "ada"}, {EVE}),
    "near": ({"latitude": 37.8, "longitude": -122.4, "radius_km": 5}, {ADA}),
    "any_of": ({"audiences": [_USERS_ADA, {"kind": "roles", "names": ["admin"]}]}, {ADA, ROOT}),
    "all_of": ({"audiences": [_USERS_ADA, _LOBBY]}, {ADA}),
    "except": ({"audience": _LOBBY, "excluded": _USERS_ADA}, {EVE}),
    "connections": ({"ids": []}, {EVE}),
}
"""By kind: how the audience goes on, and who hears. The connection is Eve's."""

Pages = dict[str, SocketClient]


@pytest.fixture
async def pages(server: Running, api: ApiClient) -> AsyncIterator[Pages]:
    """Ada and Eve are in the lobby, and friends; Root, an admin, follows Ada."""
    await befriend(api, "ada", "eve")
    await follow(api, ("root", "ada"))
    async with AsyncExitStack() as stack:
        known = {
            NOBODY: server.socket(),
            ROOT: server.socket("root", roles=("admin",)),
            ADA: server.socket("ada"),
            EVE: server.socket("eve"),
        }
        opened = {name: await stack.enter_async_context(page) for name, page in known.items()}
        for name in (ADA, EVE):
            await opened[name].ask("join-room", {"roomId": "lobby"})
        yield opened


def _audience(kind: str, pages: Pages) -> dict[str, Any]:
    more, _ = HEARD[kind]
    return {"kind": kind, **more, **({"ids": [pages[EVE].id]} if kind == "connections" else {})}


async def _say(api: ApiClient, html: str, audience: Any = None) -> None:
    await api.broadcast(html, "#heard", audience, swap="beforeend")  # none takes the place of another


async def _heard(page: SocketClient) -> set[str]:
    """The kinds of which it heard, until the end."""
    heard = []
    while (message := await page.next_of("#heard"))["html"] != "end":
        heard.append(message["html"])
    assert len(heard) == len(set(heard))
    return set(heard)


def _expected(name: str) -> set[str]:
    return {kind for kind, (_, names) in HEARD.items() if name in names}


async def _leave_and_miss(server: Running, api: ApiClient, pages: Pages) -> None:
    """All pages leave, and then it is said. None had said where it is: nobody is near."""
    for page in pages.values():
        await page.raw.close()
    await server.connected(0)
    for kind in HEARD:
        await _say(api, kind, _audience(kind, pages))


async def test_each_page_hears_what_is_meant_for_it_and_nothing_else(api: ApiClient, pages: Pages):
    await pages[ADA].ask("set-location", {"latitude": 37.8, "longitude": -122.4})
    for kind in HEARD:
        await _say(api, kind, _audience(kind, pages))
    await _say(api, "end")
    for name, page in pages.items():
        assert _expected(name) == await _heard(page), name


async def test_each_page_that_was_away_catches_up_on_what_was_meant_for_it(server: Running, api: ApiClient, pages: Pages):
    await _leave_and_miss(server, api, pages)
    await _say(api, "end")
    for name, page in pages.items():
        user_id = None if name == NOBODY else name
        query = f"?cursor={page.hello['cursor']}&session={page.hello['session']}"
        roles = ("admin",) if name == ROOT else ()
        async with server.socket(user_id, path=f"/ws{query}", roles=roles) as back:
            assert back.hello["resumed"], name
            assert _expected(name) - {"near"} == await _heard(back), name


async def test_who_comes_back_hears_what_they_may_hear_now(server: Running, api: ApiClient, pages: Pages):
    """Root is no admin any more; Eve was put out of the lobby; Ada's page is nobody's now."""
    await _leave_and_miss(server, api, pages)
    await api.delete("/rooms/lobby/members/eve")
    await _say(api, "end")
    lost = {ROOT: {"roles", "any_of"}, EVE: {"rooms", "except"}, ADA: _expected(ADA) - {"everyone"}}
    for name, less in lost.items():
        hello = pages[name].hello
        session = "" if name == ADA else f"&session={hello['session']}"  # somebody else's would be refused, and all be a gap
        async with server.socket(None if name == ADA else name, path=f"/ws?cursor={hello['cursor']}{session}") as back:
            assert _expected(name) - less - {"near"} == await _heard(back), name


def test_each_kind_of_audience_has_a_row():
    kinds = {msgspec.inspect.type_info(kind).tag for kind in get_args(Audience)}
    assert kinds == set(HEARD)
