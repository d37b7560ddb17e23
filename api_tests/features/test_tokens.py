"""Connection tokens and tickets that the back office asks for, and the end of all tokens of a user."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api_tests.auth.signing import pem, signed
from api_tests.client import ApiClient, SocketClient
from api_tests.clock import Clock
from api_tests.server import ADMIN_KEY, SECRET, Running, run_server
from api_tests.sockets.test_entry import refused
from api_tests.waiting import eventually
from app import wsx
from app.hub import once
from app.kernel.clock import utc_now
from app.settings import Settings

ADA = {"user_id": "ada", "name": "Ada L.", "roles": ["premium"], "ttl_s": 600}


async def ticket_for(api: ApiClient, **changed: object) -> str:
    answer = await api.post("/tickets", ADA | changed)
    assert 201 == answer.status_code, answer.text
    text: str = answer.json()["ticket"]
    return text


def page(server: Running, *, token: str | None = None, ticket: str | None = None, **how: object) -> SocketClient:
    path = "/ws" if ticket is None else f"/ws?ticket={ticket}"
    return SocketClient(server.url.replace("http", "ws"), token=token, path=path, **how)


async def revoke(api: ApiClient, user_id: str = "ada", reason: str = "lost phone") -> int:
    answer = await api.post(f"/users/{user_id}/disconnect", {"reason": reason, "revoke_tokens": True})
    assert 200 == answer.status_code, answer.text
    closed: int = answer.json()["closed"]
    return closed


async def the_next_millisecond() -> None:
    """Tokens say the millisecond in which they were issued; in that of the revocation they count as issued before."""
    now_ms = time.time_ns() // 1_000_000
    await eventually(lambda: time.time_ns() // 1_000_000 > now_ms)


# -- tokens -------------------------------------------------------------------------------------------------------------
async def test_a_token_that_is_asked_for_lets_its_page_in(server: Running, api: ApiClient) -> None:
    made = (await api.post("/connection-tokens", ADA)).json()
    left = datetime.fromisoformat(made["expires_at"]) - utc_now()
    assert timedelta(seconds=590) < left <= timedelta(seconds=600)
    async with page(server, token=made["token"]) as ada:
        user = wsx.connection(ada.id).user
    assert ("ada", "Ada L.", {"premium"}) == (user.id, user.name, user.roles)


@pytest.mark.parametrize("path", ["/connection-tokens", "/tickets"])
async def test_who_it_is_for_is_checked_and_a_key_needs_the_scope(server: Running, api: ApiClient, path: str) -> None:
    bad = [
        {},
        {"user_id": ""},
        ADA | {"ttl_s": 0},
        ADA | {"ttl_s": 2_678_401},
        ADA | {"roles": [f"role {number}" for number in range(51)]},
        ADA | {"roles": [""]},
    ]
    bad += [ADA | {"user_id": "x" * 129}, ADA | {"name": "\0"}, ADA | {"admin": True}]
    for body in bad:
        assert 422 == (await api.post(path, body)).status_code, body
    for scope, status in (("users:*", 403), ("tokens:write", 201), ("tokens:*", 201)):
        async with ApiClient(server.url, await api.key_with(scope)) as weak:
            answer = await weak.post(path, ADA)
            assert status == answer.status_code
            assert status == 201 or "tokens:write" in answer.json()["detail"]


async def test_a_token_that_would_not_be_read_is_not_made(api: ApiClient) -> None:
    answer = await api.post("/connection-tokens", ADA | {"roles": [f"{number:0128}" for number in range(50)]})
    assert (422, "urn:wsx:problem:token_too_long") == (answer.status_code, answer.json()["type"])


async def test_where_only_a_public_key_is_set_the_site_makes_tokens_and_tickets_go_on(settings: Settings) -> None:
    public = msgspec.structs.replace(settings, token_secret="", token_public_key=pem("p256"))
    async with run_server(public) as server, ApiClient(server.url, ADMIN_KEY) as api:
        answer = await api.post("/connection-tokens", ADA)
        assert (409, "urn:wsx:problem:no_signing_key") == (answer.status_code, answer.json()["type"])
        assert "WSX_TOKEN_SECRET" in answer.json()["detail"]
        async with page(server, ticket=await ticket_for(api)) as by_ticket, page(server, token=signed("p256")) as by_token:
            assert {"ada"} == {wsx.connection(one.id).user.id for one in (by_ticket, by_token)}


# -- tickets ------------------------------------------------------------------------------------------------------------
async def test_a_ticket_is_good_once_and_its_connection_ends_in_its_time(server: Running, api: ApiClient) -> None:
    made = (await api.post("/tickets", ADA)).json()
    assert 30 == made["use_within_s"]
    async with page(server, ticket=made["ticket"]) as ada:
        user = wsx.connection(ada.id).user
        assert ("ada", "Ada L.", {"premium"}) == (user.id, user.name, user.roles)
        assert made["expires_at"] == user.expires_at.isoformat().replace("+00:00", "Z")
        status, problem = await refused(page(server, ticket=made["ticket"]))
    assert (401, True) == (status, "this ticket is not good" in problem["detail"])


async def test_of_all_who_come_with_one_ticket_at_once_one_is_let_in(server: Running, api: ApiClient) -> None:
    ticket = await ticket_for(api)

    async def come() -> bool:
        try:
            async with page(server, ticket=ticket):
                return True
        except InvalidStatus:
            return False

    assert 1 == sum(await asyncio.gather(*(come() for _ in range(20))))


@pytest.mark.parametrize("ticket", ["", "x", "x" * 5_000, "%00", "%ED%A0%80", "..%2F..", "wsx"])
async def test_a_word_that_is_no_ticket_is_never_silently_nobody(server: Running, ticket: str) -> None:
    cookie = {"Cookie": f"wsx_token={server.token('ada')}", "Origin": server.url}
    assert 401 == (await refused(page(server, ticket=ticket)))[0]
    assert 401 == (await refused(page(server, ticket=ticket, headers=cookie)))[0]


async def test_a_ticket_is_over_in_its_time(server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = await ticket_for(api)
    monkeypatch.setattr(once, "monotonic", lambda: time.monotonic() + 31)
    assert 401 == (await refused(page(server, ticket=ticket)))[0]


async def test_a_ticket_gives_nothing_that_has_ended(clock: Clock, server: Running, api: ApiClient) -> None:
    ticket = await ticket_for(api, ttl_s=5)
    clock.skip(6)
    status, problem = await refused(page(server, ticket=ticket))
    assert (401, True) == (status, "has ended" in problem["detail"])


async def test_tickets_that_wait_are_bounded_and_more_are_refused(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MAX_KEPT", 2)
    assert [201, 201, 503] == [(await api.post("/tickets", ADA)).status_code for _ in range(3)]
    monkeypatch.setattr(once, "monotonic", lambda: time.monotonic() + 31)
    assert 201 == (await api.post("/tickets", ADA)).status_code


async def test_a_token_in_the_url_is_refused_whatever_else_is_said(server: Running) -> None:
    token = server.token("ada")
    assert 400 == (await refused(SocketClient(server.url.replace("http", "ws"), path="/ws?token=")))[0]
    for how in ({}, {"token": token}, {"headers": {"Cookie": f"wsx_token={token}", "Origin": server.url}}):
        status, problem = await refused(SocketClient(server.url.replace("http", "ws"), path=f"/ws?token={token}", **how))
        assert (400, True, False) == (status, "?ticket=" in problem["detail"], token in str(problem))


# -- revoking -----------------------------------------------------------------------------------------------------------
async def test_tokens_of_before_let_nobody_in_any_more_and_later_ones_do(server: Running, api: ApiClient) -> None:
    old, ticket = server.token("ada"), await ticket_for(api)
    async with page(server, token=old) as ada, page(server) as nobody, server.socket("bob") as bob:
        assert 1 == await revoke(api)
        assert (4409, "lost phone") == await ada.closed()
        for how in ({"token": old}, {"ticket": ticket}):
            status, problem = await refused(page(server, **how))
            assert (401, True) == (status, "was revoked" in problem["detail"])
        assert "was revoked" in (await nobody.ask("authenticate", {"token": old}))["html"]
        assert wsx.connection(nobody.id).user is None
        await the_next_millisecond()
        async with page(server, token=server.token("ada")), page(server, ticket=await ticket_for(api)):
            pass
        assert "bob" == wsx.connection(bob.id).user.id
        assert "Signed in" in (await bob.ask("authenticate", {"token": server.token("bob")}))["html"]


async def test_a_session_is_not_restored_by_a_token_that_was_revoked(server: Running, api: ApiClient) -> None:
    old = server.token("ada")
    async with page(server, token=old) as ada:
        path = f"/ws?session={ada.hello['session']}&cursor={ada.hello['cursor']}"
    await server.connected(0)
    assert 0 == await revoke(api)
    assert 401 == (await refused(SocketClient(server.url.replace("http", "ws"), token=old, path=path)))[0]


@pytest.mark.parametrize("iat", [None, 0, time.time() - 5])
async def test_a_token_that_does_not_say_when_it_was_issued_counts_as_one_of_before(
    server: Running, api: ApiClient, iat: float | None
) -> None:
    said = {"sub": "ada", "aud": "wsx", "exp": time.time() + 86_400} | ({} if iat is None else {"iat": iat})
    token = jwt.encode(said, SECRET)
    async with page(server, token=token):
        assert 1 == await revoke(api)
    status, problem = await refused(page(server, token=token))
    assert (401, iat is None) == (status, "`iat`" in problem["detail"])


async def test_tokens_of_somebody_who_was_never_here_are_revoked_too(server: Running, api: ApiClient) -> None:
    token = server.token("ghost")
    assert 404 == (await api.post("/users/ghost/disconnect", {})).status_code
    assert 0 == await revoke(api, "ghost")
    assert 401 == (await refused(page(server, token=token)))[0]


async def test_it_is_known_after_a_restart(settings: Settings) -> None:
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        old = server.token("ada")
        await revoke(api)
    async with run_server(settings) as server:
        assert 401 == (await refused(page(server, token=old)))[0]
        await the_next_millisecond()
        async with page(server, token=server.token("ada")):
            pass


async def test_revoking_again_moves_the_moment_on(server: Running, api: ApiClient) -> None:
    await revoke(api)
    await the_next_millisecond()
    between = server.token("ada")
    async with page(server, token=between):
        assert 1 == await revoke(api)
    assert 401 == (await refused(page(server, token=between)))[0]


async def test_to_disconnect_alone_revokes_nothing(server: Running, api: ApiClient) -> None:
    token = server.token("ada")
    async with page(server, token=token) as ada:
        await api.post("/users/ada/disconnect", {"reason": "moved"})
        assert (4409, "moved") == await ada.closed()
    async with page(server, token=token):
        pass


async def test_what_is_revoked_while_its_page_comes_back_is_closed_before_it_hears_anything(
    server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = server.token("ada")
    recognise, waiting, goes_on = server.hub.returning.recognise, asyncio.Event(), asyncio.Event()

    async def slow(*said: object) -> object:
        waiting.set()
        await goes_on.wait()
        return await recognise(*said)

    monkeypatch.setattr(server.hub.returning, "recognise", slow)
    client = SocketClient(server.url.replace("http", "ws"), token=token, path=f"/ws?cursor={server.hub.cursor()}", v1=False)
    async with client as ada:
        await waiting.wait()
        await revoke(api)
        await api.broadcast("secret", audience={"kind": "users", "ids": ["ada"]})
        goes_on.set()
        assert (4401, "token ended") == await ada.closed()
    assert 0 == len(server.hub.registry)


async def test_no_token_and_no_ticket_is_in_the_log(server: Running, api: ApiClient, logged: Callable[[], str]) -> None:
    token, ticket = server.token("ada"), await ticket_for(api)
    made = (await api.post("/connection-tokens", ADA)).json()["token"]
    used = await ticket_for(api)
    async with page(server, ticket=used) as ada, page(server, token=made) as other:
        await ada.ask("authenticate", {"token": token})
        await ada.ask("no-such-handler", {"token": token})
        await other.ask("authenticate", {"token": token + "x"})
    await refused(page(server, ticket=used))
    await refused(page(server, token=token + "x"))
    await refused(SocketClient(server.url.replace("http", "ws"), path=f"/ws?token={token}"))
    await api.http.get(f"/ws?ticket={ticket}&token={token}")
    await api.http.get(f"/docs?ticket={ticket}", headers={"Cookie": f"wsx_token={token}"})
    await revoke(api)
    lines = logged()
    assert '"handshake refused"' in lines
    for secret in (ticket, used, token.split(".")[2], made.split(".")[2]):
        assert secret not in lines


async def test_pages_that_are_answered_tell_no_other_site_where_they_were(server: Running, api: ApiClient) -> None:
    for path in ("/docs", "/health/live", "/wsx.js", "/no-such-page", "/ws?ticket=x"):
        assert "no-referrer" == (await api.http.get(path)).headers["referrer-policy"]
