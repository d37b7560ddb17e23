"""The matrix of REST: each route, asked without a key, with keys that are none, and with a key of each single scope."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running
from app.auth.keys import make_key
from app.auth.scopes import ADMIN, SCOPES, allows
from app.main import ROUTES, create_app
from app.settings import Settings
from app.web.docs import FILES

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
OPEN = {
    *("/docs", "/health/live", "/health/ready", "/openapi.json", "/sse", "/ws", "/ws/htmx", "/ws/turbo", "/wsx.d.ts", "/wsx.js"),
    *(f"/docs/{name}" for name in ("docs.js", *FILES)),
}
"""Paths that answer without a key."""
DOORS = {f"/console/{name}" for name in ("sign-in", "sign-out", "console.css", "console.js")}
"""Of the console, what answers who is not signed in; where they are sent from its pages is in `test_console`."""

Wanted = dict[tuple[str, str], str]


def _wanted() -> Wanted:
    """The scope of each operation, by method and path."""
    return {
        (method, f"/api/v1{path}"): route.opt["scope"]
        for route in ROUTES
        for path in route.paths
        for method in sorted(route.http_methods)
    }


def table(wanted: Wanted) -> Iterator[str]:
    """The lines of the table in the docs: what each scope opens."""
    yield "| scope | opens |"
    yield "|---|---|"
    for scope in sorted(set(wanted.values())):
        opened = [f"`{method} {path.removeprefix('/api/v1')}`" for (method, path), one in wanted.items() if one == scope]
        yield f"| `{scope}` | {', '.join(opened)} |"


async def _answers(api: ApiClient, key: str | None, wanted: Wanted) -> dict[tuple[str, str], int]:
    """The status of each operation for this key. The things that are asked for are not there, and bodies are empty."""
    there = {"str": "nothing", "uuid": str(UUID(int=0))}
    answers = {}
    for method, path in wanted:
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {"Authorization": ""}
        filled = "/".join(there[part.strip("{}").split(":")[1]] if part.startswith("{") else part for part in path.split("/"))
        answers[method, path] = (await api.http.request(method, filled, headers=headers)).status_code
    return answers


async def test_a_key_with_one_scope_opens_what_that_covers_and_nothing_else(api: ApiClient):
    wanted = _wanted()
    for scope in sorted(SCOPES):
        answers = await _answers(api, await api.key_with(scope), wanted)
        opened = {one for one, status in answers.items() if status != HTTPStatus.FORBIDDEN}
        assert {one for one, asked in wanted.items() if allows(frozenset({scope}), asked)} == opened, scope
        assert HTTPStatus.UNAUTHORIZED not in answers.values()
        assert not [one for one, status in answers.items() if status >= HTTPStatus.INTERNAL_SERVER_ERROR]


async def test_nothing_opens_without_a_key_that_is_valid(server: Running, api: ApiClient):
    revoked = await api.key_with(ADMIN)
    await api.delete(f"/api-keys/{revoked.split('_')[1]}")
    for key in (None, "x", make_key().text, revoked, ADMIN_KEY[:-1], server.token("root", roles=(ADMIN,))):
        answers = await _answers(api, key, _wanted())
        assert {HTTPStatus.UNAUTHORIZED} == set(answers.values()), key


def test_what_opens_without_a_key_is_a_short_list(settings: Settings):
    front = create_app(settings)
    paths = {*(route.path_format for route in front._http.routes), *front._streams}
    found = {path for path in paths if path in DOORS or not path.startswith(("/api/v1", "/console"))}
    assert {*OPEN, "/metrics", *DOORS} == found


async def test_the_metrics_want_their_scope(api: ApiClient):
    for scopes, status in (
        ([], HTTPStatus.UNAUTHORIZED),
        (["users:read"], HTTPStatus.FORBIDDEN),
        (["metrics:read"], HTTPStatus.OK),
    ):
        headers = {"Authorization": f"Bearer {await api.key_with(*scopes)}" if scopes else ""}
        assert status == (await api.http.get("/metrics", headers=headers)).status_code


def test_the_docs_show_what_each_scope_opens():
    lines = "\n".join(table(_wanted()))
    assert lines in SECURITY.read_text(), f"docs/security.md should hold:\n{lines}"
