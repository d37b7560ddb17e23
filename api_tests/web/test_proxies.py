"""Who is behind a proxy, and how many sockets one address may open."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sockets.test_entry import refused
from app import wsx
from app.settings import Settings, SettingsError
from app.web import addresses
from app.web.addresses import HandshakeLimit, TooManyHandshakes, counted_as
from app.web.proxies import MAX_HOPS, TrustedProxies

CLOUD = ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7")


async def behind(listed: tuple[str, ...], peer: Any, *, kind: str = "websocket", **headers: str | list[str]) -> tuple[Any, Any]:
    """Client and scheme, as the application is told."""
    told: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        told.update(scope)

    pairs = [
        (f"x-forwarded-{name}".encode(), one.encode())
        for name, value in headers.items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    scope = {"type": kind, "client": peer, "scheme": "ws" if kind == "websocket" else "http", "headers": pairs}
    await TrustedProxies(listed).in_front_of(app)(scope, None, None)
    return told["client"] and told["client"][0], told["scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.2.3", "198.51.100.9", "198.51.100.9"),
        ("10.1.2.3", "1.1.1.1, 198.51.100.9", "198.51.100.9"),
        ("10.1.2.3", "1.1.1.1, 198.51.100.9, 192.0.2.7,10.9.9.9", "198.51.100.9"),
        ("10.1.2.3", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("10.1.2.3", "198.51.100.9, evil", "10.1.2.3"),
        ("10.1.2.3", "evil, 10.0.0.2", "10.0.0.2"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.9:4711", "198.51.100.9"),
        ("10.1.2.3", "[2a00::1]:4711, 10.0.0.2:80", "2a00::1"),
        ("10.1.2.3", "[2a00::1]", "2a00::1"),
        ("10.1.2.3", "[", "10.1.2.3"),
        ("10.1.2.3", "2001:DB8:0::5, 2a00::1", "2a00::1"),
        ("::ffff:10.1.2.3", "::ffff:198.51.100.9", "198.51.100.9"),
        ("2001:db8::1", "198.51.100.9", "198.51.100.9"),
        ("192.0.2.7", "198.51.100.9", "198.51.100.9"),
        ("192.0.2.8", "198.51.100.9", "192.0.2.8"),
        ("11.0.0.1", "198.51.100.9", "11.0.0.1"),
        ("no address", "198.51.100.9", "no address"),
        ("10.1.2.3", "198.51.100.9," + "10.0.0.2," * MAX_HOPS + "10.0.0.3", "10.0.0.2"),
    ],
)
async def test_the_client_is_the_last_one_that_no_trusted_proxy_is(peer: str, forwarded: str, client: str) -> None:
    assert client == (await behind(CLOUD, (peer, 1), **{"for": forwarded}))[0]


async def test_lines_of_a_header_are_one_list(settings: Settings) -> None:
    assert "198.51.100.9" == (await behind(CLOUD, ("10.1.2.3", 1), **{"for": ["1.1.1.1", "198.51.100.9, 10.0.0.2"]}))[0]


@pytest.mark.parametrize(
    ("kind", "said", "scheme"),
    [
        ("websocket", "https", "wss"),
        ("websocket", "http", "ws"),
        ("http", "HTTPS", "https"),
        ("http", "http", "http"),
        ("websocket", "wss", "ws"),
        ("websocket", "https, http", "ws"),
        ("http", "gopher", "http"),
        ("http", "", "http"),
    ],
)
async def test_the_scheme_is_that_of_the_proxy(kind: str, said: str, scheme: str) -> None:
    assert scheme == (await behind(CLOUD, ("10.1.2.3", 1), kind=kind, proto=said))[1]
    unknown = await behind(CLOUD, ("11.1.2.3", 1), kind=kind, proto=said)
    assert ("11.1.2.3", "ws" if kind == "websocket" else "http") == unknown


async def test_without_a_client_or_a_trusted_proxy_nothing_is_believed() -> None:
    said = {"for": "198.51.100.9", "proto": "https"}
    assert (None, "ws") == await behind(CLOUD, None, **said)
    assert ("10.1.2.3", "ws") == await behind((), ("10.1.2.3", 1), **said)
    assert ("10.1.2.3", "http") == await behind(CLOUD, ("10.1.2.3", 1), kind="lifespan", **said)


@pytest.mark.parametrize("listed", ["proxy.example", "10.0.0.0/33", "10.0.0", "*", "unix:"])
def test_what_is_no_address_is_refused_by_name(listed: str) -> None:
    with pytest.raises(SettingsError, match=r"WSX_TRUSTED_PROXIES: .* is no address or network"):
        TrustedProxies(["10.0.0.1", listed])


# -- a real server, whose proxy is the test ------------------------------------------------------------------------------
def proxied(server: Running, address: str, **headers: str) -> SocketClient:
    said = {"X-Forwarded-For": address, **headers}
    return SocketClient(server.url.replace("http", "ws"), headers=said)


@pytest.fixture
def cloud(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, trusted_proxies=("127.0.0.1",), handshake_rate_per_s=0.001, handshake_burst=3)


async def test_behind_a_trusted_proxy_pages_by_https_are_of_the_same_origin_and_have_their_own_address(cloud: Settings) -> None:
    async with run_server(cloud) as server:
        https = {"Origin": server.url.replace("http", "https"), "X-Forwarded-Proto": "https"}
        async with proxied(server, "198.51.100.9", **https) as page, ApiClient(server.url, ADMIN_KEY) as api:
            assert "198.51.100.9" == wsx.connection(page.id).address
            assert "198.51.100.9" == (await api.get(f"/connections/{page.id}")).json()["address"]
        http = {"Origin": server.url, "X-Forwarded-Proto": "https"}
        assert 403 == (await refused(proxied(server, "198.51.100.9", **http)))[0]


async def test_nobody_else_is_believed(settings: Settings) -> None:
    async with run_server(settings) as server:
        async with proxied(server, "198.51.100.9") as page:
            assert "127.0.0.1" == wsx.connection(page.id).address
        https = {"Origin": server.url.replace("http", "https"), "X-Forwarded-Proto": "https"}
        assert 403 == (await refused(proxied(server, "198.51.100.9", **https)))[0]


async def test_one_address_opens_so_many_sockets_at_once_and_others_are_not_hindered(
    cloud: Settings, logged: Callable[[], str]
) -> None:
    async with run_server(cloud) as server:
        for _ in range(3):
            async with proxied(server, "198.51.100.9"):
                pass
        for _ in range(2):
            status, problem = await refused(proxied(server, "198.51.100.9"))
            assert (429, "urn:wsx:problem:too_many_handshakes") == (status, problem["type"])
        assert "WSX_HANDSHAKE_BURST" in str(problem["detail"])
        assert 429 == (await refused(proxied(server, "6.6.6.6, 198.51.100.9")))[0]  # what it says of itself does not help
        async with proxied(server, "198.51.100.10"), proxied(server, "127.0.0.1"), server.socket("ada"):
            assert 1 == logged().count("list it in WSX_TRUSTED_PROXIES")


async def test_refused_handshakes_count(cloud: Settings) -> None:
    async with run_server(cloud) as server:
        evil = {"Origin": "https://evil.example"}
        assert [403, 403, 403, 429] == [(await refused(proxied(server, "198.51.100.9", **evil)))[0] for _ in range(4)]


# -- the limit ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("2a00:1:2:3:4:5:6:7", "2a00:1:2:3::/64"),
        ("2a00:1:2:3::1", "2a00:1:2:3::/64"),
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("127.0.0.1", None),
        ("127.8.8.8", None),
        ("::1", None),
        ("", None),
        ("testclient", None),
    ],
)
def test_an_address_is_counted_with_those_of_the_same_client(address: str, counted: str | None) -> None:
    assert counted == counted_as(address)


def test_a_limit_gives_back_with_time_and_remembers_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 2)
    limit = HandshakeLimit(1_000, 2)

    def let_in(address: str) -> bool:
        try:
            limit.check(address)
        except TooManyHandshakes:
            return False
        return True

    slow = HandshakeLimit(0.001, 1)
    slow.check("198.51.100.1")
    with pytest.raises(TooManyHandshakes) as refusal:
        slow.check("198.51.100.1")
    assert "1" == refusal.value.headers["Retry-After"]
    assert [True, True] == [let_in("198.51.100.1"), let_in("198.51.100.1")]
    until = time.monotonic() + 20
    while not let_in("198.51.100.1"):
        assert time.monotonic() < until
    for number in range(2, 5):
        let_in(f"198.51.100.{number}")
    assert [False, True, True] == [limit._buckets.find(f"198.51.100.{number}") is not None for number in range(2, 5)]
