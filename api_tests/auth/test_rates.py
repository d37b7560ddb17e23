"""How often a key may ask, and how that is told; and what becomes of those who send keys that are none."""

from http import HTTPStatus

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, run_server
from app.auth import failures, known_ids, rates
from app.auth.failures import Failures
from app.auth.keys import make_key
from app.auth.rates import Rates
from app.kernel import bucket
from app.kernel.addresses import network_of
from app.kernel.errors import RateLimited

HOME = "192.0.2.1"


@pytest.fixture
def clock(monkeypatch):
    """The time in a list of one; it stands still while the test does not move it."""
    now = [1_000.0]
    for module in (bucket, known_ids):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def told(standing):
    return [(name.decode(), value.decode()) for name, value in standing.headers]


def test_a_key_may_ask_so_often_and_is_told_how_often_more(clock):
    counted = Rates(3)
    assert [("ratelimit-policy", '"key";q=3;w=60'), ("ratelimit", '"key";r=2;t=20')] == told(counted.count("a"))
    assert ["r=1", "r=0", "r=0"] == [told(counted.count("a"))[1][1].split(";")[1] for _ in range(3)]
    over = counted.count("a")
    with pytest.raises(RateLimited, match="more than 3 requests a minute with this key") as refused:
        over.check()
    assert ("20", "WSX_API_RATE_PER_MIN" in refused.value.detail) == (refused.value.headers["Retry-After"], True)
    counted.count("b").check()
    clock[0] += 20
    counted.count("a").check()
    assert not counted.count("a").is_allowed
    clock[0] += 600
    assert [True, True, True, False] == [counted.count("a").is_allowed for _ in range(4)]


def test_keys_that_are_counted_are_bounded(monkeypatch, clock):
    monkeypatch.setattr(rates, "MAX_KEYS", 2)
    counted = Rates(1)
    assert [True, True, True, False] == [counted.count(key).is_allowed for key in ("a", "b", "c", "c")]
    assert 1 == len(counted._buckets)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
        ("a socket of unix", "2001:db8::1", False),
    ],
)
def test_of_ipv6_a_network_counts_as_one_address(one, other, same):
    assert same is (network_of(one) == network_of(other))


def test_who_guesses_is_slowed_down_until_its_time_has_come_again(clock):
    counted = Failures(60)
    for _ in range(60):
        assert not counted.is_over(HOME)
        counted.failed(HOME)
    assert counted.is_over(HOME)
    with pytest.raises(RateLimited, match="a valid key is let in") as refused:
        counted.failed(HOME)
    assert "1" == refused.value.headers["Retry-After"]
    assert not counted.is_over("192.0.2.2")
    clock[0] += 1
    assert not counted.is_over(HOME)  # though nothing was tried since
    counted.failed(HOME)  # one a second more
    assert counted.is_over(HOME)


def test_of_the_addresses_that_are_remembered_the_one_that_goes_on_failing_stays(monkeypatch, clock):
    monkeypatch.setattr(failures, "MAX_ADDRESSES", 2)
    counted = Failures(1)
    counted.failed(HOME)
    for number in range(5):
        with pytest.raises(RateLimited):
            counted.failed(HOME)
        counted.failed(f"198.51.100.{number}")
    assert [True, False, True] == [counted.is_over(address) for address in (HOME, "198.51.100.3", "198.51.100.4")]


async def test_an_answer_says_where_its_key_stands_whatever_it_is(settings, clock):
    slow = msgspec.structs.replace(settings, api_rate_per_min=6)
    async with run_server(slow) as server, ApiClient(server.url, ADMIN_KEY) as api, ApiClient(server.url, None) as stranger:
        weak_key = await api.key_with("announcements:read")
        answers = [
            await api.get("/connections"),
            await api.get("/rooms/nowhere"),
            await api.post("/broadcasts", {"target": "#a"}),
            await api.delete("/api-keys/nothing"),
        ]
        assert [HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND] == [
            answer.status_code for answer in answers
        ]
        assert {'"key";q=6;w=60'} == {answer.headers["ratelimit-policy"] for answer in answers}
        assert [4, 3, 2, 1] == [int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")) for answer in answers]
        await api.get("/cursor")
        refused = await api.get("/cursor")
        assert (HTTPStatus.TOO_MANY_REQUESTS, "urn:wsx:problem:rate_limited") == (refused.status_code, refused.json()["type"])
        assert "WSX_API_RATE_PER_MIN" in refused.json()["detail"]
        assert ("10", '"key";r=0;t=10') == (refused.headers["retry-after"], refused.headers["ratelimit"])
        weak = {"Authorization": f"Bearer {weak_key}"}
        forbidden = await stranger.get("/connections", headers=weak)
        assert (HTTPStatus.FORBIDDEN, True) == (forbidden.status_code, "r=5" in forbidden.headers["ratelimit"])
        assert "ratelimit" not in (await stranger.get("/connections")).headers
        assert HTTPStatus.OK == (await stranger.http.get("/health/live")).status_code


async def test_good_keys_come_in_from_an_address_that_guesses_also_new_ones(settings, clock):
    slow = msgspec.structs.replace(settings, api_rate_per_min=4)
    async with run_server(slow) as server, ApiClient(server.url, ADMIN_KEY) as api, ApiClient(server.url, None) as stranger:
        known = await api.key_with("connections:read")

        async def status_of(key):
            return (await stranger.get("/connections", headers={"Authorization": f"Bearer {key}"})).status_code

        guesses = [await status_of(make_key().text) for _ in range(6)]
        assert [HTTPStatus.UNAUTHORIZED] * 4 + [HTTPStatus.TOO_MANY_REQUESTS] * 2 == guesses
        assert HTTPStatus.OK == await status_of(known)
        assert HTTPStatus.OK == await status_of(ADMIN_KEY)
        assert HTTPStatus.OK == await status_of(await api.key_with("connections:read"))
        assert HTTPStatus.TOO_MANY_REQUESTS == await status_of(make_key().text)
        assert HTTPStatus.OK == await status_of(await api.key_with("connections:read"))
        assert HTTPStatus.TOO_MANY_REQUESTS == await status_of(known[:-1] + ("a" if known[-1] != "a" else "b"))
        assert HTTPStatus.UNAUTHORIZED == (await stranger.get("/connections")).status_code  # without a key nothing was guessed
