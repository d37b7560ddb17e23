"""Lists of tokens and origins that must let nobody in, against a real server, by every way in: 0 accepted."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api_tests.auth.forged import ISSUER, all_of, of_other_algorithms, of_public_key
from api_tests.auth.signing import ALGORITHMS, claims, jwk, jwks, pem, signed
from api_tests.client import SocketClient
from api_tests.server import SECRET, Running, run_server
from app import wsx
from app.settings import Settings

CAN_BE_SENT = re.compile(r"[A-Za-z0-9._-]+")
"""In the headers of a handshake; whatever else it holds can come by `authenticate` only."""


def hs256(**changed: Any) -> str:
    return jwt.encode(claims(**changed), SECRET)


def secret_tokens() -> Mapping[str, str]:
    others = {
        "another secret": jwt.encode(claims(iss=ISSUER), SECRET[::-1]),
        "HS512": jwt.encode(claims(iss=ISSUER), SECRET * 2, "HS512"),
    }
    return all_of(hs256) | others


def public_tokens(kind: str) -> Mapping[str, str]:
    return all_of(lambda **changed: signed(kind, **changed)) | of_public_key(kind) | of_other_algorithms(kind)


def of_both() -> Mapping[str, str]:
    return {f"HS256: {name}": token for name, token in secret_tokens().items()} | public_tokens("rsa")


def named(**changed: Any) -> str:
    return signed("rsa", header={"kid": "newer"}, **changed)


WAYS: Mapping[str, tuple[dict[str, str], Callable[..., str], Callable[[], Mapping[str, str]]]] = {
    "HS256": ({"token_secret": SECRET}, hs256, secret_tokens),
    **{
        kind: ({"token_secret": "", "token_public_key": pem(kind)}, partial(signed, kind), partial(public_tokens, kind))
        for kind in ALGORITHMS
    },
    "a set": ({"token_secret": "", "token_jwks_file": "keys.json"}, named, lambda: all_of(named) | of_public_key("rsa")),
    "both": ({"token_secret": SECRET, "token_public_key": pem("rsa")}, hs256, of_both),
}


async def accepted(server: Running, tokens: Mapping[str, str]) -> list[str]:
    """The names of those that let somebody in: by the cookie, by the subprotocol, or by `authenticate`."""
    let_in = []
    async with server.socket() as page:
        for name, token in tokens.items():
            if CAN_BE_SENT.fullmatch(token):
                headers = {"Cookie": f"wsx_token={token}", "Origin": server.url}
                for way, how in (("cookie", {"headers": headers}), ("pair", {"subprotocols": ["wsx.v1", f"wsx.token.{token}"]})):
                    if await is_let_in(server, how):
                        let_in.append(f"{name} by {way}")
            answer = await page.ask("authenticate", {"token": token})
            if "error" not in answer["html"] or wsx.connection(page.id).user is not None:
                let_in.append(f"{name} by authenticate")
    return let_in


async def is_let_in(server: Running, how: dict[str, Any]) -> bool:
    try:
        async with SocketClient(server.url.replace("http", "ws"), **({"v1": False} | how)):
            return True
    except InvalidStatus as refusal:
        return refusal.response.status_code != 401


@pytest.mark.parametrize("way", WAYS)
async def test_no_token_of_the_list_lets_anybody_in_and_a_good_one_does(settings: Settings, tmp_path: Path, way: str) -> None:
    set_to, sign, forged = WAYS[way]
    if "token_jwks_file" in set_to:
        path = tmp_path / "keys.json"
        path.write_text(jwks(jwk("rsa", kid="newer"), jwk("p256", 5, kid="older")))
        set_to = set_to | {"token_jwks_file": str(path)}
    strict = {"token_issuer": ISSUER, "socket_rate_per_s": 1_000.0, "socket_burst": 1_000}
    async with run_server(msgspec.structs.replace(settings, **set_to | strict)) as server:
        async with SocketClient(server.url.replace("http", "ws"), token=sign(iss=ISSUER)) as page:
            assert "ada" == wsx.connection(page.id).user.id
        assert [] == await accepted(server, forged())


ORIGINS = (
    "https://evil.example",
    "null",
    "http://127.0.0.1",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:1{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1.evil.example:{port}",
    "http://evil.example/127.0.0.1:{port}",
    "http://evil.example#127.0.0.1:{port}",
    "http://127.0.0.1:{port}@evil.example",
    "http://evil.example@127.0.0.1:{port}",
    "http://@127.0.0.1:{port}",
    "http://127.0.0.1.:{port}",
    "HTTP://127.0.0.1:{port}",
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}",
    "http://2130706433:{port}",
    "http://localhost:{port}",
    "http://[::ffff:127.0.0.1]:{port}",
    "https://shop.example.",
    "https://SHOP.example",
    "http://shop.example",
    "https://shop.example:8443",
    "https://xshop.example",
    "https://a.shop.example",
    "https://shop.example.evil.example",
    "https://shop.example@evil.example",
    "https://xn--shp-0na.example",
    "https://sh%6Fp.example",
    "https://shop.example, https://evil.example",
    "https://shop.example https://evil.example",
    "",
)


async def test_no_origin_of_the_list_may_open_a_socket_whatever_its_visitor_has(settings: Settings) -> None:
    async with run_server(msgspec.structs.replace(settings, allowed_origins=("https://shop.example",))) as server:
        accepted = []
        for pattern in ORIGINS:
            origin = pattern.format(port=server.port)
            headers = {"Origin": origin, "Cookie": f"wsx_token={server.token('ada')}"}
            try:
                async with server.socket(headers=headers):
                    accepted.append(origin)
            except InvalidStatus as refusal:
                accepted += [origin] if refusal.response.status_code != 403 else []
        for origin in ("https://shop.example", server.url):
            async with server.socket(headers={"Origin": origin}):
                pass
    assert [] == accepted
