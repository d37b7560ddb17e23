"""Connection tokens: made, read, and refused for every reason that there is."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.tokens import MAX_TOKEN_CHARS, Tokens
from app.kernel.errors import Unauthenticated

SECRET = "a token secret that is long enough for the tests"
HOUR = timedelta(hours=1)
A_DAY_S = 86_400
tokens = Tokens(SECRET)


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """What a site could send: any claims, signed. Parameters of tests are made long before the tests run."""
    given = {"sub": "ada", "exp": time.time() + 2 * A_DAY_S} | claims
    return jwt.encode({name: value for name, value in given.items() if value is not None}, secret, algorithm=algorithm)


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refusal(token: str, reader: Tokens = tokens) -> str:
    with pytest.raises(Unauthenticated) as refused:
        reader.read(token)
    assert token not in refused.value.detail or not token
    return refused.value.detail


def test_what_is_issued_is_read():
    user = tokens.read(tokens.issue("ada", name="Ada L.", roles=["premium", "admin"], ttl=HOUR))
    assert ("ada", "Ada L.", {"premium", "admin"}, True) == (user.id, user.name, user.roles, user.is_admin)
    assert HOUR - timedelta(minutes=1) < user.expires_at - datetime.now(UTC) <= HOUR
    assert ("bob", False) == (tokens.read(tokens.issue("bob", ttl=HOUR)).name, tokens.read(tokens.issue("bob", ttl=HOUR)).is_admin)


WORDS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.text(WORDS, min_size=1, max_size=128), st.text(WORDS, max_size=200), st.sets(st.text(WORDS), max_size=50))
def test_every_name_comes_back_as_it_was(user_id, name, roles):
    token = tokens.issue(user_id, name=name, roles=roles, ttl=HOUR)
    if len(token) <= MAX_TOKEN_CHARS:
        user = tokens.read(token)
        assert (user_id, name or user_id, roles) == (user.id, user.name, user.roles)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (f"{part({'alg': 'none', 'typ': 'JWT'})}.{part({'sub': 'ada', 'exp': time.time() + A_DAY_S})}.", "its algorithm is not"),
        (signed(algorithm="HS512", secret="s" * 64), "its algorithm is not"),
        (signed(secret="another secret that is also long enough"), "it is signed with another key"),
        (signed()[:-4] + "AAAA", "it is signed with another key"),
        (signed(exp=None), "it says no `exp`"),
        (signed(sub=None), "it says no `sub`"),
        (signed(nbf=time.time() + A_DAY_S), "it is not valid yet"),
        (signed(iat=time.time() + A_DAY_S), "it is not valid yet"),
        (signed(sub=7), "its `sub` must be a text"),
        (signed(exp="soon"), "it cannot be read"),
        (signed(exp=[1]), "it cannot be read"),
        (signed(exp=float("inf")), "it cannot be read"),
        (signed(exp=float("nan")), "it cannot be read"),
        ("", "it cannot be read"),
        ("a.b", "it cannot be read"),
        ("a.b.c", "it cannot be read"),
        ("ключ.ключ.ключ", "it cannot be read"),
    ],
)
def test_a_token_that_is_not_the_sites_is_refused(token, said):
    assert refusal(token).startswith(f"the connection token was refused: {said}")


@pytest.mark.parametrize("exp", [0, -1, True, time.time() - 1])
def test_a_token_that_has_ended_says_so(exp):
    assert "the connection token has ended; get a fresh one from the site" == refusal(signed(exp=exp))


@pytest.mark.parametrize("exp", [time.time() * 1000, 1e300, 253_402_300_800])
def test_an_end_beyond_the_calendar_is_refused(exp):
    assert "seconds since 1970" in refusal(signed(exp=exp))


@pytest.mark.parametrize("subject", ["", "x" * 129, "half a pair \ud83d"])
def test_a_user_id_that_cannot_be_is_refused(subject):
    assert "`sub` must be a text of 1 to 128 characters" in refusal(signed(sub=subject))


@pytest.mark.parametrize("roles", ["admin", {"admin": True}, [1], ["x", None], ["role"] * 51, ["\udc00"], 5])
def test_roles_that_are_no_list_of_texts_are_refused(roles):
    assert "`roles` must be a list of at most 50 texts" in refusal(signed(roles=roles))


@pytest.mark.parametrize(
    ("name", "shown"),
    [(None, "ada"), ("", "ada"), (7, "ada"), ("x" * 300, "x" * 200), ("Ada \ud83d", "Ada ?"), ("Ada 😀", "Ada 😀")],
)
def test_a_name_is_made_to_fit(name, shown):
    assert shown == tokens.read(signed(name=name)).name


def test_a_huge_token_is_not_even_looked_at():
    assert "the connection token is too long" == refusal("x" * (MAX_TOKEN_CHARS + 1))
    assert "the connection token is too long" == refusal(signed(name="x" * MAX_TOKEN_CHARS))


def test_issuer_and_audience_are_wanted_where_they_are_set():
    strict = Tokens(SECRET, issuer="https://site.example", audience="wsx")
    assert "ada" == strict.read(strict.issue("ada", ttl=HOUR)).id
    assert "ada" == strict.read(signed(iss="https://site.example", aud=["other", "wsx"])).id
    assert "it says no `aud`" in refusal(signed(iss="https://site.example"), strict)
    assert "it is made for another site" in refusal(signed(iss="https://site.example", aud="other"), strict)
    assert "it says no `iss`" in refusal(signed(aud="wsx"), strict)
    assert "it is made by another site" in refusal(signed(iss="https://evil.example", aud="wsx"), strict)
    assert "ada" == tokens.read(signed(iss="anybody", aud="anything")).id


def test_a_key_for_another_purpose_is_the_same_on_every_node_and_tells_nothing_of_others():
    label = "ids of sessions"
    assert tokens.derived_key(label) == Tokens(SECRET, audience="x").derived_key(label)
    others = {tokens.derived_key("other"), Tokens(SECRET[::-1]).derived_key(label)}
    assert (False, 32) == (tokens.derived_key(label) in others, len(tokens.derived_key(label)))
