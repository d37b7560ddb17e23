"""Keys of tokens come and go while pages are connected: nobody is signed out, and nothing is restarted."""

from pathlib import Path

import jwt
import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api_tests.auth.signing import claims, jwk, jwks, signed
from api_tests.client import SocketClient
from api_tests.server import SECRET, Running, run_server
from api_tests.sockets.test_entry import refused
from app.auth import jwks_file
from app.settings import Settings


def page(server: Running, token: str) -> SocketClient:
    return SocketClient(server.url.replace("http", "ws"), token=token)


async def test_a_set_of_keys_is_rotated_without_a_restart(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks_file, "LOOK_EVERY_S", 0)
    file = tmp_path / "keys.json"
    file.write_text(jwks(jwk("rsa", kid="older")))
    old, new = signed("rsa", header={"kid": "older"}), signed("p256", header={"kid": "newer"})
    settings = msgspec.structs.replace(settings, token_secret="", token_jwks_file=str(file))
    async with run_server(settings) as server, page(server, old) as ada:
        assert 401 == (await refused(page(server, new)))[0]
        file.write_text(jwks(jwk("rsa", kid="older"), jwk("p256", kid="newer")))
        async with page(server, old), page(server, new):
            assert "Signed in until" in (await ada.ask("authenticate", {"token": new}))["html"]
        file.write_text(jwks(jwk("p256", kid="newer")))
        assert 401 == (await refused(page(server, old)))[0]
        assert "refused: no key that is set here has the name" in (await ada.ask("authenticate", {"token": old}))["html"]
        assert "Signed in until" in (await ada.ask("authenticate", {"token": new}))["html"]


async def test_a_secret_is_rotated_in_two_steps_and_no_token_is_refused_before_it_ends(settings: Settings) -> None:
    new_secret = SECRET[::-1]
    old, new = (jwt.encode(claims(), secret) for secret in (SECRET, new_secret))
    steps = [(SECRET, ""), (SECRET, new_secret), (new_secret, SECRET), (new_secret, "")]
    let_in = []
    for first, second in steps:
        async with run_server(msgspec.structs.replace(settings, token_secret=first, token_other_secret=second)) as server:
            answers = []
            for token in (old, new, server.token("ada")):
                try:
                    async with page(server, token):
                        answers.append(True)
                except InvalidStatus:
                    answers.append(False)
            let_in.append(answers)
    assert [[True, False, True], [True, True, True], [True, True, True], [False, True, True]] == let_in
