"""The console's door: who is let in, for how long, and whose forms are believed."""

from datetime import timedelta

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.features.operator import Operator, said
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import MS, eventually_told
from app.auth.keys import make_key
from app.features.audit import recorder
from app.features.console import gate, live
from app.features.console_sessions import service as sessions
from app.kernel.clock import utc_now
from app.settings import Settings

HOUR_S = 3_600
MADE_UP = {"Cookie": f"{gate.COOKIE}={'x' * 43}.{'y' * 43}"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are written down at once, and sessions looked at all the time."""
    monkeypatch.setattr(recorder, "REFUSALS_S", 10 * MS)
    monkeypatch.setattr(recorder, "STRANGERS_S", 10 * MS)
    monkeypatch.setattr(live, "EVERY_S", 20 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 10 * MS)


async def test_nothing_is_shown_before_one_has_signed_in(server: Running):
    async with Operator(server, None) as stranger:
        for path in ("", "/connections", "/keys"):
            answer = await stranger.see(path)
            assert (303, "/console/sign-in") == (answer.status_code, answer.headers["location"])
        assert 303 == (await stranger.post("/keys/create", name="x", scopes="admin")).status_code
        with pytest.raises(InvalidStatus, match="401"):
            async with stranger.socket():
                pass


async def test_the_cookie_is_for_the_console_alone_and_for_no_script(server: Running):
    async with Operator(server, None) as operator:
        answer = await operator.sign_in(ADMIN_KEY)
        cookie = answer.headers["set-cookie"]
        words = {word.strip().lower() for word in cookie.split(";")}
        assert {"httponly", "samesite=strict", "path=/console", f"max-age={8 * HOUR_S}"} <= words
        assert "secure" not in words
        assert ADMIN_KEY not in cookie


async def test_behind_https_the_cookie_never_travels_in_the_clear(settings: Settings):
    behind = msgspec.structs.replace(settings, trusted_proxies=("127.0.0.1",))
    async with run_server(behind) as server, Operator(server, None) as operator:
        origin = {"Origin": server.url.replace("http:", "https:"), "X-Forwarded-Proto": "https"}
        operator.http.headers.update(origin)
        answer = await operator.http.get("/console/sign-in")
        assert "secure" in {word.strip().lower() for word in answer.headers["set-cookie"].split(";")}


async def test_signing_in_makes_a_new_cookie(server: Running):
    async with Operator(server, None) as operator:
        await operator.see("/sign-in")
        before = operator.http.cookies[gate.COOKIE]
        await operator.sign_in(ADMIN_KEY)
        assert before != operator.http.cookies[gate.COOKIE]
        operator.http.cookies.clear()
        operator.http.cookies.set(gate.COOKIE, before, path="/console")
        assert 303 == (await operator.see("")).status_code


async def test_a_wrong_key_is_answered_as_rest_answers_it_and_counts_as_there(settings: Settings):
    few = msgspec.structs.replace(settings, api_rate_per_min=3)
    async with run_server(few) as server, Operator(server, None) as guesser:
        for key in (make_key().text, "x", "é"):
            answer = await guesser.sign_in(key)
            assert 401 == answer.status_code
            assert "no valid API key" in said(answer)
        assert "an API key is needed" == said(await guesser.sign_in(" "))
        over = await guesser.sign_in(make_key().text)
        assert (429, True) == (over.status_code, int(over.headers["retry-after"]) > 0)
        async with ApiClient(server.url, make_key().text) as api:
            assert 429 == (await api.get("/cursor")).status_code
        assert 303 == (await guesser.sign_in(ADMIN_KEY)).status_code


async def test_who_signs_in_and_who_is_refused_is_in_the_audit_log(server: Running, api: ApiClient):
    async with Operator(server, None) as operator:
        await operator.sign_in(make_key().text)
        await operator.sign_in(ADMIN_KEY)
        await operator.post("/sign-out")

    async def noted() -> bool:
        events = (await api.get("/audit-events")).json()["items"]
        kinds = {(event["operation"], event["status"], event["actor"]) for event in events}
        wanted = {("console_sign_in", 303, "key"), ("console_sign_in", 401, "nobody"), ("console_sign_out", 303, "key")}
        return wanted <= kinds

    await eventually_told(noted)


async def test_who_signs_out_is_out_with_all_windows(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        cookie = operator.http.cookies[gate.COOKIE]
        answer = await operator.post("/sign-out")
        assert "/console/sign-in?done=signed_out" == answer.headers["location"]
        assert 4401 == (await window.closed())[0]
        operator.http.cookies.set(gate.COOKIE, cookie, path="/console")
        assert 303 == (await operator.see("/connections")).status_code


async def test_who_signs_in_anew_is_out_with_the_windows_of_before(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        assert 303 == (await operator.post("/sign-in", key=ADMIN_KEY)).status_code
        assert 4401 == (await window.closed())[0]


async def test_a_key_has_so_many_sessions_and_the_oldest_go(server: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    async with Operator(server) as first, Operator(server) as second, Operator(server) as third:
        assert [303, 200, 200] == [(await one.see("/connections")).status_code for one in (first, second, third)]


async def test_a_revoked_key_ends_its_sessions_and_their_sockets(server: Running, api: ApiClient):
    key = await api.key_with("connections:read")
    async with Operator(server, key) as operator, operator.socket() as window:
        assert 200 == (await operator.see("/connections")).status_code
        await api.delete(f"/api-keys/{key.split('_')[1]}")
        assert 303 == (await operator.see("/connections")).status_code
        assert 4401 == (await window.closed())[0]


@pytest.mark.parametrize(("key_ends_in_s", "hours"), [(None, 8), (2 * HOUR_S, 2)], ids=["after eight hours", "with the key"])
async def test_a_session_ends(server: Running, api: ApiClient, clock: Clock, key_ends_in_s: float | None, hours: int):
    expires_at = None if key_ends_in_s is None else (utc_now() + timedelta(seconds=key_ends_in_s)).isoformat()
    body = {"name": "short", "scopes": ["rooms:read"], "expires_at": expires_at}
    key = (await api.post("/api-keys", body)).json()["key"]
    async with Operator(server, key) as operator, operator.socket() as window:
        clock.skip(hours * HOUR_S - 60)
        assert 200 == (await operator.see("/rooms")).status_code
        clock.skip(61)
        assert 303 == (await operator.see("/rooms")).status_code
        assert 4401 == (await window.closed())[0]


async def test_with_another_admin_key_nobody_is_signed_in_any_more(settings: Settings):
    async with run_server(settings) as server, Operator(server) as operator:
        cookie = operator.http.cookies[gate.COOKIE]
    for key, status in ((ADMIN_KEY, 200), (f"another {ADMIN_KEY}", 303)):
        async with run_server(msgspec.structs.replace(settings, admin_key=key)) as server, Operator(server, None) as operator:
            operator.http.cookies.set(gate.COOKIE, cookie, path="/console")
            assert status == (await operator.see("/rooms")).status_code


async def test_who_makes_cookies_up_is_slowed_down_and_who_is_signed_in_there_is_not(settings: Settings):
    few = msgspec.structs.replace(settings, api_rate_per_min=6)
    async with run_server(few) as server, Operator(server) as operator:
        async with Operator(server, None) as stranger:
            answers = [await stranger.http.get("/console", headers=MADE_UP) for _ in range(7)]
            assert [303] * 6 + [429] == [answer.status_code for answer in answers]
            assert "keys or cookies that are none" in said(answers[-1])
            assert int(answers[-1].headers["retry-after"]) > 0
            assert 429 == (await stranger.http.post("/console/rooms/create", headers=MADE_UP)).status_code
        assert 200 == (await operator.see("")).status_code


async def test_who_makes_a_cookie_up_is_in_the_audit_log(server: Running, api: ApiClient):
    async with Operator(server, None) as stranger:
        await stranger.http.get("/console", headers=MADE_UP)

    async def noted() -> bool:
        events = (await api.get("/audit-events?known=false")).json()["items"]
        return ("console_visit", 401) in {(one["operation"], one["status"]) for one in events}

    await eventually_told(noted)
