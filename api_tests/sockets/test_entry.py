"""`/ws`: who is let in."""

import json
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api_tests.client import ApiClient, SocketClient
from api_tests.hub.recording import ended
from api_tests.server import ADMIN_KEY, Running, run_server
from app import wsx
from app.main import make_tokens
from app.settings import Settings


async def refused(client: SocketClient) -> tuple[int, dict[str, object]]:
    with pytest.raises(InvalidStatus) as refusal:
        async with client:
            pass
    response = refusal.value.response
    return response.status_code, json.loads(response.body or b"{}")


async def test_the_subprotocol_pair_is_answered_with_wsx_v1_and_never_with_the_token(server: Running) -> None:
    async with server.socket("ada") as ada:
        assert "wsx.v1" == ada.raw.subprotocol
        assert "ada" == wsx.connection(ada.id).user.id


async def test_the_cookie_of_a_page_is_believed(server: Running) -> None:
    headers = {"Cookie": f"other=1; wsx_token={server.token('ada')}", "Origin": server.url}
    async with server.socket(headers=headers) as ada:
        assert "ada" == wsx.connection(ada.id).user.id


async def test_a_cookie_without_an_origin_is_not(server: Running) -> None:
    async with server.socket(headers={"Cookie": f"wsx_token={server.token('ada')}"}) as nobody:
        assert wsx.connection(nobody.id).user is None


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 5000])
async def test_a_bad_token_is_never_silently_nobody(server: Running, token: str) -> None:
    status, problem = await refused(SocketClient(server.url.replace("http", "ws"), token=token))
    assert 401 == status
    assert "urn:wsx:problem:unauthenticated" == problem["type"]


async def test_an_ended_token_is_refused(server: Running) -> None:
    status, problem = await refused(SocketClient(server.url.replace("http", "ws"), token=server.token("ada", ttl_s=-1)))
    assert (401, True) == (status, "has ended" in str(problem["detail"]))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:{port}", "http://127.0.0.1:{port}.evil.example"],
)
async def test_a_page_of_another_origin_is_refused(server: Running, origin: str) -> None:
    status, problem = await refused(server.socket(headers={"Origin": origin.format(port=server.port)}))
    assert 403 == status
    said = f"pages of {origin.format(port=server.port)!r} may not connect here; the operator can list it in WSX_ALLOWED_ORIGINS"
    assert said == problem["detail"]


async def test_a_user_has_only_so_many_connections(server: Running) -> None:
    async with server.socket("ada"), server.socket("ada"), server.socket("bob"):
        status, problem = await refused(server.socket("ada"))
        assert (429, True) == (status, "WSX_MAX_SOCKETS_PER_USER" in str(problem["detail"]))


async def test_a_socket_that_has_ended_is_not_counted_though_nobody_was_told_yet(server: Running) -> None:
    async with server.socket("ada") as first, server.socket("ada"):
        outbox = wsx.connection(first.id).outbox
        outbox.sink, sink = ended(), outbox.sink
        async with server.socket("ada"):
            outbox.sink = sink
            assert 429 == (await refused(server.socket("ada")))[0]


async def test_sockets_are_at_one_path_only(server: Running) -> None:
    assert 404 == (await refused(server.socket(path="/other")))[0]


async def test_where_anonymous_is_off_a_bad_token_is_refused_before_anybody_is_asked(settings: Settings) -> None:
    async with run_server(msgspec.structs.replace(settings, allow_anonymous=False)) as server:
        assert 401 == (await refused(SocketClient(server.url.replace("http", "ws"), token="x")))[0]
        async with server.socket("ada"):
            pass


async def test_a_listed_origin_may_come(settings: Settings) -> None:
    listed = msgspec.structs.replace(settings, allowed_origins=("https://shop.example",))
    async with run_server(listed) as server, server.socket(headers={"Origin": "https://shop.example"}):
        pass


async def test_the_issuer_and_audience_of_a_token_are_checked(settings: Settings) -> None:
    strict = msgspec.structs.replace(settings, token_issuer="shop", token_audience="pages")
    async with run_server(strict) as server:
        foreign = msgspec.structs.replace(settings, token_issuer="other", token_audience="pages")
        assert 401 == (await refused(SocketClient(server.url.replace("http", "ws"), token=_token(foreign))))[0]
        async with SocketClient(server.url.replace("http", "ws"), token=_token(strict)), ApiClient(server.url, ADMIN_KEY) as api:
            assert 1 == (await api.get("/connections/count")).json()["users"]


def _token(settings: Settings) -> str:
    return make_tokens(settings).issue("ada", ttl=timedelta(hours=1))


@pytest.mark.parametrize("odd", ['prefs={"a":1}', "name=René", "a@b=1", "=", "flag", 'wsx_token_old="x"'])
async def test_odd_cookies_of_the_site_do_not_sign_anybody_out(server: Running, odd: str) -> None:
    cookies = f"{odd}; wsx_token={server.token('ada')}; last={odd}".encode().decode("latin-1")
    async with server.socket(headers={"Cookie": cookies, "Origin": server.url}) as ada:
        assert "ada" == wsx.connection(ada.id).user.id


async def test_an_empty_cookie_is_no_token(server: Running) -> None:
    async with server.socket(headers={"Cookie": 'wsx_token=""', "Origin": server.url}) as nobody:
        assert wsx.connection(nobody.id).user is None


async def test_a_refused_handshake_is_in_the_log_under_its_request_id_and_its_token_is_not(
    server: Running, logged: Callable[[], str]
) -> None:
    token = server.token("ada", ttl_s=-1)
    status, problem = await refused(SocketClient(server.url.replace("http", "ws"), token=token, headers={"X-Request-ID": "abc-7"}))
    lines = logged()
    assert (401, "abc-7") == (status, problem["request_id"])
    assert '"handshake refused"' in lines
    assert '"request_id":"abc-7"' in lines
    assert token not in lines
