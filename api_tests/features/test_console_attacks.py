"""Who tries to get more of the console than the key gives, or in without one."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from api_tests.client import ApiClient
from api_tests.conftest import settings_of
from api_tests.features.operator import Operator, said
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import MS
from app.features.console import gate, live
from app.features.console_pages import PAGES
from app.features.console_sessions import Sessions

MADE_UP = f"{'x' * 43}.{'y' * 43}"


@pytest.fixture(scope="module")
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.config.option.database == "postgresql":
        with request.getfixturevalue("postgres").migrated() as url:
            yield url
    else:
        path = tmp_path_factory.mktemp("shared") / "wsx.db"
        shutil.copy(request.getfixturevalue("migrated"), path)
        yield f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="module")
async def server(shared_url: str) -> AsyncIterator[Running]:
    """One for all of these tests: whoever gets through in one of them is seen in it."""
    async with run_server(settings_of(shared_url)) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a moment."""
    monkeypatch.setattr(live, "EVERY_S", 20 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 10 * MS)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of sessions that were looked for in the database."""
    found: list[str] = []
    find_all = Sessions.find_all

    async def noted(self: Sessions, ids: Any) -> Any:
        found.extend(ids)
        return await find_all(self, ids)

    monkeypatch.setattr(Sessions, "find_all", noted)
    return found


def _with(cookie: str) -> dict[str, str]:
    return {"Cookie": f"{gate.COOKIE}={cookie}"}


async def test_a_cookie_that_was_made_up_is_not_looked_up(server: Running, looked_up: list[str]):
    async with Operator(server, None) as stranger:
        for cookie in (MADE_UP, "x" * 4_000, f".{'y' * 43}", f"{'x' * 43}.", ".", "x", '""', "\xff.\xff"):
            answer = await stranger.http.get("/console", headers={"Cookie": f"{gate.COOKIE}={cookie}".encode("latin-1")})
            assert (303, "/console/sign-in") == (answer.status_code, answer.headers["location"])
        for headers in (_with(MADE_UP), _with("x")):
            with pytest.raises(InvalidStatus, match="401"):
                async with server.socket(path="/console/ws", headers={"Origin": server.url, **headers}):
                    pass
        assert [] == looked_up


async def test_a_cookie_whose_end_was_changed_is_made_up(server: Running, looked_up: list[str]):
    async with Operator(server) as operator:
        cookie = operator.http.cookies[gate.COOKIE]
        operator.http.cookies.clear()
        looked_up.clear()
        for changed in (cookie[:-1], f"{cookie}x", f"x{cookie}", cookie.swapcase(), cookie.replace(".", "..")):
            assert 303 == (await operator.http.get("/console", headers=_with(changed))).status_code
        assert [] == looked_up
        assert 200 == (await operator.http.get("/console", headers=_with(cookie))).status_code


async def test_a_browser_forgets_a_cookie_that_stands_for_nobody_and_signs_in(server: Running):
    async with Operator(server, None) as operator:
        operator.http.cookies.set(gate.COOKIE, MADE_UP, domain="127.0.0.1", path="/console")
        assert "max-age=0" in (await operator.see("")).headers["set-cookie"].lower()
        assert 303 == (await operator.sign_in(ADMIN_KEY)).status_code
        assert 200 == (await operator.see("")).status_code


async def test_a_cookie_of_before_signing_out_opens_nothing(server: Running):
    async with Operator(server) as operator:
        cookie, token = operator.http.cookies[gate.COOKIE], operator.token
        await operator.post("/sign-out")
        operator.http.cookies.set(gate.COOKIE, cookie, domain="127.0.0.1", path="/console")
        assert 303 == (await operator.post("/rooms/create", id="lobby", token=token)).status_code
        with pytest.raises(InvalidStatus, match="401"):
            async with operator.socket():
                pass
    async with ApiClient(server.url, ADMIN_KEY) as api:
        assert 404 == (await api.get("/rooms/lobby")).status_code


BEHIND_TLS = {
    "a browser": {"Sec-Fetch-Site": "same-origin"},
    "an old browser": {},
}


@pytest.mark.parametrize("told", BEHIND_TLS.values(), ids=BEHIND_TLS)
async def test_behind_a_proxy_that_is_not_trusted_the_page_and_the_log_name_the_setting(server: Running, told, logged):
    async with Operator(server, None) as operator:
        operator.http.headers.update({"Origin": server.url.replace("http:", "https:"), "X-Forwarded-Proto": "https", **told})
        answer = await operator.sign_in(ADMIN_KEY)
        assert (403, True) == (answer.status_code, "WSX_TRUSTED_PROXIES" in said(answer))
        (line,) = [line for line in logged().splitlines() if "a form of the console was refused" in line]
        assert "WSX_TRUSTED_PROXIES" in line
        assert '"proxy":"127.0.0.1"' in line
        assert ADMIN_KEY not in line


async def test_behind_a_proxy_that_names_another_host_the_page_and_the_log_say_so(server: Running, logged):
    async with Operator(server, None) as operator:
        operator.http.headers.update({"Origin": "https://console.example", "Sec-Fetch-Site": "same-origin"})
        answer = await operator.sign_in(ADMIN_KEY)
        assert (403, True) == (answer.status_code, "must pass the header Host" in said(answer))
        assert "must pass the header Host" in logged()


async def test_a_stranger_brings_no_advice_into_the_log(server: Running, logged):
    async with Operator(server, None) as stranger:
        await stranger.see("/sign-in")
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": server.url}):
            assert 403 == (await stranger.post("/sign-in", key=ADMIN_KEY, headers=headers)).status_code
        assert "a form of the console was refused" not in logged()


async def test_an_address_does_nothing_whatever_it_says(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        for page in PAGES:
            for name in page.acts:
                answer = await operator.see(f"/{page.name}/{name}", id="lobby", form_token=operator.token)
                assert 405 == answer.status_code
        assert 200 == (await operator.see("")).status_code
        assert 405 == (await operator.see("/sign-out")).status_code


async def test_a_socket_does_nothing_but_show(server: Running, api: ApiClient):
    await api.post("/rooms", {"id": "club"})
    async with Operator(server) as operator, operator.socket() as window, server.socket("ada") as ada:
        for name in ("admin-announcement", "send-message", "mass-update", "authenticate", "close_connection"):
            answer = await window.ask(name, {"message": "x", "roomId": "club", "priority": "high", "id": ada.id})
            assert "error" in answer["html"], name
        assert "x" not in [one["message"] for one in (await api.get("/announcements")).json()["items"]]
        assert 200 == (await api.get(f"/connections/{ada.id}")).status_code


async def test_a_token_of_a_page_opens_no_socket_of_the_console(server: Running):
    token = server.token("ada", roles=("admin",))
    for headers in ({"Cookie": f"wsx_token={token}"}, {"Authorization": f"Bearer {ADMIN_KEY}"}):
        with pytest.raises(InvalidStatus, match="401"):
            async with server.socket("ada", path="/console/ws", headers={"Origin": server.url, **headers}):
                pass


async def test_the_cookie_of_the_console_opens_nothing_else(server: Running):
    async with Operator(server) as operator:
        headers = _with(operator.http.cookies[gate.COOKIE])
        for path in ("/api/v1/connections", "/metrics"):
            assert 401 == (await operator.http.get(path, headers=headers)).status_code


async def test_a_socket_without_an_origin_has_no_session(server: Running):
    async with Operator(server) as operator:
        cookie = operator.http.cookies[gate.COOKIE]
        for origin in ({}, {"Origin": "null"}):
            with pytest.raises(InvalidStatus, match=r"40[13]"):
                async with server.socket(path="/console/ws", headers={**_with(cookie), **origin}):
                    pass


async def test_a_key_that_only_reads_announcements_recalls_none(server: Running, api: ApiClient):
    made = (await api.post("/announcements", {"message": "Hello", "priority": "low"})).json()
    async with Operator(server, await api.key_with("connections:read", "announcements:read")) as operator:
        await operator.see("/announcements")
        answer = await operator.post("/announcements/recall", id=made["id"])
        assert (403, True) == (answer.status_code, "has not the scope announcements:write" in said(answer))
        assert 200 == (await api.get(f"/announcements/{made['id']}")).status_code


FOREIGN = {
    "another origin": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another site, says the browser": {"Sec-Fetch-Site": "cross-site"},
    "a sister of the site, says the browser": {"Sec-Fetch-Site": "same-site"},
    "typed, says the browser": {"Sec-Fetch-Site": "none"},
    "nowhere": {"Origin": "null"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_a_form_of_a_stranger_does_nothing(server: Running, api: ApiClient, headers: dict[str, str]):
    async with Operator(server) as operator:
        answer = await operator.post("/rooms/create", id="lobby", headers=headers)
        assert (403, True) == (answer.status_code, "not sent by a page of this console" in said(answer))
        assert 404 == (await api.get("/rooms/lobby")).status_code


async def test_a_form_without_an_origin_does_nothing(server: Running):
    async with Operator(server) as operator:
        del operator.http.headers["Origin"]
        assert 403 == (await operator.post("/rooms/create", id="other")).status_code
        told = {"Sec-Fetch-Site": "same-origin"}
        assert 303 == (await operator.post("/rooms/create", id="other", headers=told)).status_code


async def test_a_form_needs_the_token_of_its_own_browser(server: Running):
    async with Operator(server) as operator, Operator(server) as other:
        for token in ("", "x", "é", other.token):
            assert 403 == (await operator.post("/rooms/create", id="lobby", token=token)).status_code
            assert 403 == (await operator.post("/sign-out", token=token)).status_code
        assert 200 == (await operator.see("/")).status_code
        async with Operator(server, None) as stranger:
            await stranger.see("/sign-in")
            assert 403 == (await stranger.post("/sign-in", key=ADMIN_KEY, token=other.token)).status_code


async def test_a_body_that_is_no_form_is_refused(server: Running):
    async with Operator(server) as operator:
        for body in (b"\xff", b"a=%FF", b"&".join(b"a=1" for _ in range(300))):
            answer = await operator.http.post("/console/rooms/create", content=body)
            assert 400 == answer.status_code
        assert 413 == (await operator.http.post("/console/rooms/create", content=b"a" * 300_000)).status_code


async def test_a_page_of_another_origin_opens_no_socket_of_the_console_and_that_is_logged(
    server: Running, logged: Callable[[], str]
):
    async with Operator(server) as operator:
        with pytest.raises(InvalidStatus, match="403") as refused:
            async with operator.socket(Origin="https://evil.example"):
                pass
    assert "/console/ws" == json.loads(refused.value.response.body)["instance"]
    (line,) = [line for line in logged().splitlines() if '"handshake refused"' in line]
    assert '"path":"/console/ws"' in line
