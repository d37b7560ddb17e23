"""The quick way to read tokens says yes to nothing that the library refuses, and reads the same in all."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.plain import MAX_HEADERS, PlainTokens
from app.auth.tokens import Tokens
from app.kernel.errors import Unauthenticated
from app.kernel.identity import User

SECRET = "a token secret that is long enough for the tests"
HOUR = timedelta(hours=1)
NOW = int(time.time())


def having_learned(**wanted: str) -> Tokens:
    tokens = Tokens(SECRET, **wanted)
    tokens.read(tokens.issue("first", ttl=HOUR))
    return tokens


def outcome(tokens: Tokens, token: str) -> User | str:
    try:
        return tokens.read(token)
    except Unauthenticated as refusal:
        return refusal.detail


times = st.sampled_from(
    [NOW - 3600, NOW + 3600, NOW + 3600.5, float(NOW + 3600), str(NOW + 3600), True, None, 0, -1, 2**70, 1e300, "x", [1]]
)
texts = st.sampled_from(["wsx", "other", "", "ada", "Ada \ud83d", "nul\0", "x" * 300, None, 7, 1.5, True, ["wsx"], {"a": 1}])
claims = st.fixed_dictionaries(
    {},
    optional={
        "sub": st.just("ada") | texts,
        "exp": st.just(NOW + 3600) | times,
        "iat": times,
        "nbf": times,
        "name": texts,
        "aud": texts,
        "iss": texts,
        "jti": texts,
        "roles": st.just(["admin"]) | texts | st.lists(texts, max_size=3),
        "more": texts,
    },
)


@given(claims, st.sampled_from([{}, {"issuer": "other"}, {"audience": "wsx"}]), st.booleans())
def test_it_agrees_with_the_library_on_every_token(said: dict[str, Any], wanted: dict[str, str], ordinary: bool):
    said = {"sub": "ada", "exp": NOW + 3600, "aud": "wsx", "iss": "other"} | said if ordinary else said
    token = jwt.encode({}, SECRET, algorithm="HS256")  # its header; PyJWT itself makes no token with claims of these types
    payload = urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    token = resigned(f"{token.partition('.')[0]}.{payload}")
    assert outcome(Tokens(SECRET, **wanted), token) == outcome(having_learned(**wanted), token)


def resigned(signed: str, secret: str = SECRET) -> str:
    algorithm = jwt.get_algorithm_by_name("HS256")
    return f"{signed}.{urlsafe_b64encode(algorithm.sign(signed.encode(), secret.encode())).rstrip(b'=').decode()}"


TOKEN = jwt.encode({"sub": "ada", "exp": NOW + 3600}, SECRET, algorithm="HS256")


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_it_agrees_on_a_token_with_a_wrong_character(place: int, character: str):
    token = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert outcome(Tokens(SECRET), token) == outcome(having_learned(), token)


HEADER, PAYLOAD, _ = TOKEN.split(".")


@pytest.mark.parametrize(
    "token",
    [
        resigned(f"{HEADER}.{PAYLOAD}", "another secret that is also long enough"),
        resigned(f"{HEADER}.{PAYLOAD}="),
        resigned(f"{HEADER}.{PAYLOAD[:9]}.{PAYLOAD[9:]}"),
        resigned(f"{HEADER}.{PAYLOAD[:-1]}"),
        resigned(f"{HEADER}."),
        resigned(f"{HEADER}.e30"),
        resigned(f"{HEADER}.W10"),
        resigned(f"{HEADER}._w"),
        resigned(HEADER),
        f"{HEADER}.{PAYLOAD}",
        f"{HEADER}.{PAYLOAD}.",
        f"{TOKEN}=",
        f" {TOKEN}",
        f"{HEADER}.{PAYLOAD}.ключ",
    ],
)
def test_it_agrees_on_tokens_that_are_put_together_oddly(token: str):
    assert outcome(Tokens(SECRET), token) == outcome(having_learned(), token)


def test_what_a_site_usually_sends_is_read_the_quick_way_once_a_header_is_known():
    tokens = Tokens(SECRET, issuer="site", audience="wsx")
    plain = PlainTokens(SECRET, issuer="site", audience="wsx")
    token = tokens.issue("ada", name="Ada", roles=["admin"], ttl=HOUR)
    assert plain.read(token) is None
    plain.learn(token)
    read = plain.read(tokens.issue("bob", name="Bob", roles=["premium"], ttl=HOUR))
    assert read is not None
    assert ("bob", "Bob", ("premium",), "wsx", "site") == (read.sub, read.name, read.roles, read.aud, read.iss)


def test_only_so_many_headers_are_remembered():
    plain = PlainTokens(SECRET, issuer="", audience="")
    for number in range(2 * MAX_HEADERS):
        plain.learn(jwt.encode({}, SECRET, algorithm="HS256", headers={"kid": str(number)}))
    assert MAX_HEADERS == len(plain._headers)


def test_who_have_the_same_roles_share_one_set():
    tokens = having_learned()
    one, other = (tokens.read(tokens.issue(user, roles=["admin", "premium"], ttl=HOUR)) for user in ("ada", "bob"))
    assert one.roles is other.roles
