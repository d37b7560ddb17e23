"""Public keys of tokens: which are taken, which verify what, and how they change while the server runs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from api_tests.auth.forged import KIDS
from api_tests.auth.signing import ALGORITHMS, by_hand, claims, jwk, jwks, pem, private_pem, signed
from app.auth import jwks_file
from app.auth.from_settings import make_tokens
from app.auth.jwks_file import JwksFile
from app.auth.token_keys import MAX_KEYS, FixedKeys, WrongKey, from_jwks, from_pem
from app.auth.tokens import NoSigningKey, Tokens
from app.kernel.errors import Unauthenticated
from app.settings import Settings, SettingsError

SECRET = "a token secret that is long enough for the tests"
OTHER = "another token secret, which is also long enough"


def read(tokens: Tokens, token: str) -> str:
    """The user's id, or why there is none."""
    try:
        return tokens.read(token).id
    except Unauthenticated as refused:
        return refused.detail


def of_jwks(*keys: dict[str, object]) -> Tokens:
    return Tokens("", public_keys=FixedKeys(from_jwks({"keys": list(keys)})), audience="wsx")


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_public_key_reads_what_its_private_one_has_signed(kind):
    for text in (pem(kind), pem(kind).replace("\n", "\\n"), f"\n {pem('ed25519', 1)} and {pem(kind)}"):
        tokens = Tokens("", public_keys=FixedKeys(from_pem(text)), audience="wsx")
        assert "ada" == read(tokens, signed(kind))
        assert "refused" in read(tokens, signed(kind, 1 if kind != "ed25519" else 2))


def test_where_only_public_keys_are_no_token_is_made_and_nothing_is_derived(settings: Settings):
    tokens = Tokens("", public_keys=FixedKeys(from_pem(pem("p256"))))
    with pytest.raises(NoSigningKey, match="set WSX_TOKEN_SECRET, too"):
        tokens.issue("ada", ttl=None)
    assert tokens.derived_key("ids of sessions") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no key", "no public key in PEM is in it"),
        (private_pem("p256"), "this is a private key"),
        (pem("rsa1024"), "an RSA key of 1024 bits is too short; at least 2048 are needed"),
        (pem("p384"), "a key of another kind"),
        (pem("ed448"), "a key of another kind"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is no public key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "CERTIFICATE----- is no public key"),
        (pem("ed25519") * (MAX_KEYS + 1), "at most 20 are taken"),
    ],
)
def test_a_pem_that_is_not_to_be_used_is_refused_and_not_shown(text, said):
    with pytest.raises(SettingsError) as refused:
        make_tokens(Settings(token_public_key=text))
    assert f"WSX_TOKEN_PUBLIC_KEY: {said}" in str(refused.value) or said in str(refused.value)
    assert "AAAA" not in str(refused.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no JSON Web Key Set"),
        ({}, "no JSON Web Key Set"),
        ({"keys": {}}, "no JSON Web Key Set"),
        ({"keys": ["x"]}, "no JSON Web Key Set"),
        ({"keys": []}, "it has no key for RS256, ES256 or EdDSA"),
        ({"keys": [jwk("rsa", use="enc")]}, "it has no key"),
        ({"keys": [jwk("rsa", is_private=True)]}, "private or symmetric"),
        ({"keys": [jwk("rsa"), {"kty": "oct", "k": "AAAA"}]}, "private or symmetric"),
        ({"keys": [jwk("rsa1024")]}, "1024 bits is too short"),
        ({"keys": [jwk("rsa", kid="a"), jwk("p256", kid="a")]}, "the same `kid`"),
        ({"keys": [jwk("ed25519", kid=str(number)) for number in range(MAX_KEYS + 1)]}, "at most 20"),
    ],
)
def test_a_set_of_keys_that_is_not_to_be_used_is_refused(document, said):
    with pytest.raises(WrongKey, match=said):
        from_jwks(document)


def test_keys_of_a_set_that_are_for_something_else_are_left_out():
    others = [
        jwk("rsa", 1, use="enc"),
        jwk("rsa", 1, alg="RS512"),
        jwk("rsa", 1, alg="HS256"),
        jwk("rsa", 1, key_ops=["encrypt"]),
        jwk("rsa", 1, key_ops="verify"),
        jwk("p384"),
        jwk("ed448"),
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "RSA"},
        {"kty": "new"},
        {"kty": 5},
        {},
    ]
    keys = from_jwks({"keys": [*others, jwk("rsa", kid=5), jwk("p256", kid="b", key_ops=["verify"], use="sig", alg="ES256")]})
    assert [("RS256", None), ("ES256", "b")] == [(key.algorithm, key.name) for key in keys]


def test_two_keys_live_through_a_rotation_and_a_name_means_one_of_them():
    tokens = of_jwks(jwk("rsa", kid="older"), jwk("rsa", 1, kid="newer"), jwk("p256", kid="third"))
    for number, kid in enumerate(("older", "newer")):
        assert "ada" == read(tokens, signed("rsa", number, header={"kid": kid}))
        assert "ada" == read(tokens, signed("rsa", number))  # without a name all of its algorithm are tried
    assert "it is signed with another key" in read(tokens, signed("rsa", 1, header={"kid": "older"}))
    assert "it is signed with another key" in read(tokens, signed("rsa", 2))
    assert "no key that is set here has the name" in read(tokens, signed("rsa", header={"kid": "third"}))  # that one is for ES256
    assert "no key that is set here has the name" in read(tokens, signed("ed25519"))
    assert "ended" in read(tokens, signed("rsa", exp=1))


@pytest.mark.parametrize("kid", KIDS, ids=repr)
def test_a_kid_is_a_name_in_our_own_set_and_nothing_else(kid):
    tokens = of_jwks(jwk("rsa", kid="older"), jwk("rsa", 1, kid="newer"))
    lone = of_jwks(jwk("rsa", kid="older"))
    for reader in (tokens, lone):
        assert "refused" in read(reader, by_hand({"alg": "RS256", "kid": kid}, b"x"))
        assert "refused" in read(reader, by_hand({"alg": "HS256", "kid": kid}, b""))
    if isinstance(kid, str):
        assert "no key that is set here has the name" in read(tokens, signed("rsa", header={"kid": kid}))
        assert "no key that is set here has the name" in read(lone, signed("rsa", header={"kid": kid}))
        unnamed = Tokens("", public_keys=FixedKeys(from_pem(pem("rsa"))), audience="wsx")
        assert "ada" == read(unnamed, signed("rsa", header={"kid": kid}))


def test_of_two_secrets_the_first_signs_and_both_are_read():
    old, both, new = Tokens(OTHER), Tokens(SECRET, other_secret=OTHER), Tokens(SECRET)
    made = jwt.encode(claims(aud=None), OTHER)
    assert ("ada", "ada") == (read(old, made), read(both, made))
    assert "it is signed with another key" in read(new, made)
    assert "it is signed with another key" in read(both, jwt.encode(claims(aud=None), "a third secret that is just as long"))
    assert "ended" in read(both, jwt.encode(claims(aud=None, exp=1), OTHER))


def test_a_secret_beside_public_keys_makes_tokens_for_us_and_the_site_makes_its_own(settings: Settings):
    tokens = make_tokens(Settings(token_secret=SECRET, token_public_key=pem("rsa")))
    assert ["HS256", "RS256"] == [key.algorithm for key in tokens.keys]
    assert "ada" == read(tokens, signed("rsa"))
    assert "bob" == read(tokens, jwt.encode(claims(sub="bob"), SECRET))
    assert "refused" in read(tokens, jwt.encode(claims(), OTHER))


# -- the file -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jwks_file, "LOOK_EVERY_S", 0)
    path = tmp_path / "keys.json"
    path.write_text(jwks(jwk("rsa", kid="older")))
    return path


def test_a_key_that_is_added_to_the_file_or_taken_out_counts_at_once(file: Path, logged: Callable[[], str]):
    tokens = Tokens("", public_keys=JwksFile(file), audience="wsx")
    older, newer = (signed("rsa", number, header={"kid": kid}) for number, kid in enumerate(("older", "newer")))
    assert ("ada", True) == (read(tokens, older), "no key that is set here has the name" in read(tokens, newer))
    file.write_text(jwks(jwk("rsa", kid="older"), jwk("rsa", 1, kid="newer")))
    assert ("ada", "ada") == (read(tokens, older), read(tokens, newer))
    replaced = file.with_name("new.json")
    replaced.write_text(jwks(jwk("rsa", 1, kid="newer")))
    replaced.rename(file)
    assert (True, "ada") == ("no key that is set here has the name" in read(tokens, older), read(tokens, newer))
    assert 2 == logged().count("token keys read anew")


@pytest.mark.parametrize(
    "content", ["", "{", '{"keys": []}', "[" * 5_000, json.dumps({"keys": [jwk("rsa1024")]}), "x" * 300_000, None]
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told_once(file: Path, content: str | None, logged: Callable[[], str]):
    tokens = Tokens("", public_keys=JwksFile(file), audience="wsx")
    file.unlink() if content is None else file.write_text(content)
    assert ["ada", "ada"] == [read(tokens, signed("rsa")) for _ in range(2)]
    assert 1 == logged().count("the keys of before stay")
    file.write_text(jwks(jwk("rsa", 1)))
    assert "ada" == read(tokens, signed("rsa", 1))


def test_the_file_is_looked_at_now_and_then_only(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jwks_file, "LOOK_EVERY_S", 3_600)
    keys = JwksFile(file)
    file.write_text(jwks(jwk("rsa", 1), jwk("p256")))
    assert 1 == len(keys.now())
    monkeypatch.setattr(jwks_file, "LOOK_EVERY_S", 0)
    assert 2 == len(keys.now())


def test_a_server_does_not_start_with_a_file_that_cannot_be_used(tmp_path: Path):
    for content, said in ((None, "cannot be read: No such file"), ("{", "it is no JSON"), ("[]", "no JSON Web Key Set")):
        path = tmp_path / "keys.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SettingsError, match=f"WSX_TOKEN_JWKS_FILE: .*{said}"):
            make_tokens(Settings(token_jwks_file=str(path)))


def test_a_file_of_the_same_size_that_was_replaced_in_the_same_moment_is_seen(file: Path):
    keys = JwksFile(file)
    other = file.with_name("other")
    other.write_text(jwks(jwk("rsa", 1, kid="older")))
    at = time.time_ns()
    os.utime(other, ns=(at, file.stat().st_mtime_ns))
    other.rename(file)
    tokens = Tokens("", public_keys=keys, audience="wsx")
    assert "ada" == read(tokens, signed("rsa", 1))
