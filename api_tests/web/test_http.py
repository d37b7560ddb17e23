"""What every answer has: request ids, problem documents, policies; health, docs, files; the demo page."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import SOON_S, eventually
from app import Connection, main
from app.kernel.errors import AppError
from app.monitoring.storage import WatchedDatabase
from app.settings import Settings


async def test_a_request_id_is_taken_or_made(api: ApiClient) -> None:
    assert "abc-1" == (await api.get("/connections", headers={"X-Request-ID": "abc-1"})).headers["x-request-id"]
    for unsound in ("", "two words", "x" * 129):
        made = (await api.get("/connections", headers={"X-Request-ID": unsound})).headers["x-request-id"]
        assert 32 == len(made)


async def test_a_request_is_one_line_in_the_log_and_its_key_is_not_in_it(api: ApiClient, logged: Callable[[], str]) -> None:
    await api.get("/announcements", headers={"X-Request-ID": "find-me"})
    lines = [json.loads(line) for line in logged().splitlines() if "find-me" in line]
    assert [("request", "GET", "/api/v1/announcements", 200)] == [
        (line["event"], line["method"], line["path"], line["status"]) for line in lines
    ]
    assert ADMIN_KEY not in str(lines)


async def test_a_request_without_a_key_is_not_logged_with_the_key_of_the_one_before(
    server: Running, logged: Callable[[], str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    first = f"GET /api/v1/connections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\r\n"
    second = "GET /api/v1/connections HTTP/1.1\r\nHost: x\r\nX-Request-ID: no-key\r\nConnection: close\r\n\r\n"
    writer.write((first + second).encode())
    answers = await reader.read()
    writer.close()
    assert [b"200", b"401"] == re.findall(rb"HTTP/1.1 (\d+)", answers)
    (line,) = [json.loads(line) for line in logged().splitlines() if "no-key" in line]
    assert (401, False) == (line["status"], "key" in line)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/api/v1/broadcasts", 405, "method_not_allowed"),
    ],
)
async def test_a_wrong_address_is_a_problem_document(api: ApiClient, method: str, path: str, status: int, kind: str) -> None:
    answer = await api.http.request(method, path)
    assert (status, f"urn:wsx:problem:{kind}") == (answer.status_code, answer.json()["type"])
    assert {"type", "title", "status", "detail", "instance", "request_id"} == set(answer.json())


async def test_a_mistake_of_ours_says_nothing_but_the_request_id(
    server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "the secret is 1234"
        raise RuntimeError(message)

    monkeypatch.setattr(server.hub.receipts, "get", broken)
    answer = await api.get("/broadcasts/x")
    assert (500, "urn:wsx:problem:internal_error") == (answer.status_code, answer.json()["type"])
    assert "1234" not in answer.text


async def test_a_database_that_is_away_is_503_with_retry_after_for_who_needs_it_and_the_server_stays_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = WatchedDatabase(settings.database_url)
    monkeypatch.setattr(main, "WatchedDatabase", lambda _url: database)
    path = Path(settings.database_url.partition(":///")[2])
    async with run_server(settings) as server, ApiClient(server.url, ADMIN_KEY) as api:
        assert {"status": "ok", "parts": {"database": "ok", "journal": "ok"}} == (await api.http.get("/health/ready")).json()
        path.rename(path.with_suffix(".away"))
        path.mkdir()
        await eventually(lambda: not database.engine.pool.checkedout())  # the server looks for scheduled announcements
        await database.engine.dispose()  # it has to open the file again
        answer = await api.post("/announcements", {"message": "x", "priority": "low"})
        assert (503, "1") == (answer.status_code, answer.headers["retry-after"])
        assert "nothing was stored" in answer.json()["detail"]
        ready = await api.http.get("/health/ready")
        assert (200, {"status": "degraded", "parts": {"database": "away", "journal": "ok"}}) == (ready.status_code, ready.json())
        assert 200 == (await api.http.get("/health/live")).status_code
        path.rmdir()
        path.with_suffix(".away").rename(path)
        assert 201 == (await api.post("/announcements", {"message": "x", "priority": "low"})).status_code


async def test_the_sockets_address_opened_as_a_page_says_so(api: ApiClient) -> None:
    answer = await api.http.get("/ws")
    assert (426, "websocket") == (answer.status_code, answer.headers["upgrade"])


async def test_files_are_sent_once_and_then_only_confirmed(api: ApiClient) -> None:
    first = await api.http.get("/wsx.js")
    assert "javascript" in first.headers["content-type"]
    assert "nosniff" == first.headers["x-content-type-options"]
    again = await api.http.get("/wsx.js", headers={"If-None-Match": first.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)


async def test_the_docs_load_nothing_from_elsewhere(api: ApiClient) -> None:
    page = await api.http.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.js"):
        assert f"/docs/{name}" in page.text
        assert 200 == (await api.http.get(f"/docs/{name}")).status_code
    assert "://" not in page.text
    assert "3.1.0" == (await api.http.get("/openapi.json")).json()["openapi"]


async def test_without_demo_there_is_no_page_and_no_sign_in(api: ApiClient) -> None:
    assert 404 == (await api.http.get("/")).status_code
    assert 404 == (await api.http.post("/demo/sign-in", data={"name": "Ada"})).status_code


@pytest.fixture
async def demo(settings: Settings) -> AsyncIterator[tuple[Running, httpx.AsyncClient]]:
    async with run_server(settings, demo=True) as server, httpx.AsyncClient(base_url=server.url) as browser:
        yield server, browser


async def test_signing_in_to_the_demo_sets_a_cookie_that_scripts_cannot_read(demo: tuple[Running, httpx.AsyncClient]) -> None:
    server, browser = demo
    assert "Sign in" in (await browser.get("/")).text
    answer = await browser.post("/demo/sign-in", data={"name": "<b>Ada</b> L.", "role": "premium"})
    assert (303, "/") == (answer.status_code, answer.headers["location"])
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("wsx_token=", "httponly", "samesite=lax", "path=/"))
    page = (await browser.get("/")).text
    assert "&lt;b&gt;Ada&lt;/b&gt; L." in page
    headers = {"Cookie": f"wsx_token={browser.cookies['wsx_token']}", "Origin": server.url}
    async with server.socket(headers=headers) as socket:
        shown = await socket.next_of("#who")
        assert "&lt;b&gt;Ada&lt;/b&gt; L." in shown["html"]
    await browser.post("/demo/sign-out")
    assert "Sign in" in (await browser.get("/", headers={"Cookie": "wsx_token=bad"})).text


async def test_a_wrong_field_of_the_sign_in_form_is_named(demo: tuple[Running, httpx.AsyncClient]) -> None:
    answer = await demo[1].post("/demo/sign-in", data={"name": "x" * 61})
    assert (422, "/name", "Expected `str` of length <= 60") == (
        answer.status_code,
        answer.json()["errors"][0]["pointer"],
        answer.json()["errors"][0]["detail"],
    )


async def test_a_site_may_replace_a_fragment(settings: Settings) -> None:
    folder = Path(settings.database_url.partition(":///")[2]).parent / "own"
    (folder / "announcements").mkdir(parents=True)
    (folder / "announcements" / "published.html").write_text("<p>Own: {{ announcement.message }}</p>")
    async with (
        run_server(msgspec.structs.replace(settings, templates=str(folder))) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket("ada") as ada,
    ):
        await api.post("/announcements", {"message": "<x>", "priority": "high"})
        assert "<p>Own: &lt;x&gt;</p>" == (await ada.next())["html"]
        await api.post("/notifications", {"user_ids": ["ada"], "title": "t"})
        assert "notification info" in (await ada.next())["html"]


async def test_an_error_keeps_its_words() -> None:
    assert ("internal_error", 500) == (AppError("x").code, AppError("x").status)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/broadcasts?dryrun=true", "dryrun"),
        ("GET", "/connections?usr_id=ada", "usr_id"),
        ("GET", "/users/ada/notifications?only=unread", "only"),
        ("DELETE", "/connections/x?force=1", "force"),
    ],
)
async def test_a_parameter_that_does_not_exist_is_refused_and_nothing_is_done(
    server: Running, api: ApiClient, method: str, path: str, name: str
) -> None:
    async with server.socket() as page:
        body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x"} if method == "POST" else None
        answer = await api.call(method, path, body)
        assert (422, f"?{name}") == (answer.status_code, answer.json()["errors"][0]["pointer"])
        assert "no such parameter" in answer.json()["errors"][0]["detail"]
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")


@pytest.mark.parametrize("query", ["user_id=ada&user_id=bob", "user_id=ada&user_id=", "limit=5&user_id=ada&user_id=ada"])
async def test_a_parameter_that_is_given_twice_is_refused(api: ApiClient, query: str) -> None:
    answer = await api.get(f"/connections?{query}")
    told = [{"pointer": "?user_id", "detail": "given 2 times; give it once"}]
    assert (422, told) == (answer.status_code, answer.json()["errors"])


async def test_a_broken_fragment_leaves_nothing_half_done(settings: Settings) -> None:
    folder = Path(settings.database_url.partition(":///")[2]).parent / "own"
    for name in ("announcements/published.html", "notifications/arrived.html"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{{ no.such.thing }}")
    async with (
        run_server(msgspec.structs.replace(settings, templates=str(folder))) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
    ):
        assert 500 == (await api.post("/announcements", {"message": "x", "priority": "high"})).status_code
        assert 500 == (await api.post("/notifications", {"user_ids": ["ada"], "title": "t"})).status_code
        assert [] == (await api.get("/announcements")).json()["items"]
        assert [] == (await api.get("/users/ada/notifications")).json()["items"]


async def test_async_hooks_may_finish_when_the_server_stops(settings: Settings) -> None:
    finished: list[str] = []
    async with run_server(msgspec.structs.replace(settings, drain_s=SOON_S)) as server:

        @server.hub.on_disconnection
        async def note(connection: Connection) -> None:
            await asyncio.sleep(0.2)
            finished.append(connection.id)

        page = server.socket()
        await page.__aenter__()
    assert [page.id] == finished


@pytest.mark.parametrize("path", ["/docs", "/wsx.js", "/health/live", "/openapi.json"])
async def test_head_is_get_without_a_body(api: ApiClient, path: str) -> None:
    head, whole = await api.http.head(path), await api.http.get(path)
    assert (200, b"") == (head.status_code, head.content)
    assert whole.headers["content-length"] == head.headers["content-length"]
