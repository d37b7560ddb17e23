"""The matrix of the console: each page and each deed, tried by nobody and by a session of each single scope."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from api_tests.client import ApiClient
from api_tests.features.operator import Operator
from api_tests.server import Running
from app.auth.scopes import SCOPES, allows
from app.features.console.routes import path_of
from app.features.console_pages import PAGES, Page
from app.main import create_app
from app.settings import Settings

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
NOT_ALLOWED = {HTTPStatus.FORBIDDEN}
ELSEWHERE = {"/console/sign-in", "/console/sign-out", "/console/console.css", "/console/console.js"}
"""What is open to those who are not signed in."""
NOWHERE = "/console/{rest}"
"""All other paths: a page that says so to who is signed in."""

Deeds = dict[str, tuple[Page, str]]


def _deeds() -> Deeds:
    """By path: the page that a deed is on, and the scope that it takes."""
    return {f"/console/{page.name}/{name}": (page, scope) for page in PAGES for name, (scope, _) in page.acts.items()}


def table() -> Iterator[str]:
    """The lines of the table in the docs."""
    yield "| page | is seen with | and with it can be done |"
    yield "|---|---|---|"
    for page in PAGES:
        seen = " or ".join("any key" if scope == "any" else f"`{scope}`" for scope in page.scopes)
        done = ", ".join(f"`{name}` with `{scope}`" for name, (scope, _) in page.acts.items())
        yield f"| `{path_of(page)}` | {seen} | {done or 'nothing'} |"


async def test_a_session_of_one_scope_sees_and_does_what_that_covers_and_nothing_else(server: Running, api: ApiClient):
    for scope in sorted(SCOPES):
        granted = frozenset({scope})
        async with Operator(server, await api.key_with(scope)) as operator:
            for page in PAGES:
                status = (await operator.see(path_of(page).removeprefix("/console"))).status_code
                may = any(allows(granted, one) for one in page.scopes)
                assert may == (status not in NOT_ALLOWED), (scope, page.name, status)
                assert status < HTTPStatus.INTERNAL_SERVER_ERROR
            await operator.see("")
            for path, (page, wanted) in _deeds().items():
                status = (await operator.post(path.removeprefix("/console"), id="nothing")).status_code
                may = allows(granted, wanted) and any(allows(granted, one) for one in page.scopes)
                assert may == (status not in NOT_ALLOWED), (scope, path, status)
                assert status < HTTPStatus.INTERNAL_SERVER_ERROR


async def test_nobody_sees_or_does_anything(server: Running):
    async with Operator(server, None) as stranger:
        await stranger.see("/sign-in")
        answers = [await stranger.see(path_of(page).removeprefix("/console")) for page in PAGES]
        answers.append(await stranger.see("/nothing"))
        answers += [await stranger.post(path.removeprefix("/console"), id="x") for path in _deeds()]
        assert {(303, "/console/sign-in")} == {(answer.status_code, answer.headers["location"]) for answer in answers}


def test_every_path_of_the_console_has_a_row(settings: Settings):
    paths = {route.path_format for route in create_app(settings)._http.routes if route.path.startswith("/console")}
    assert {path_of(page) for page in PAGES} | set(_deeds()) | ELSEWHERE | {NOWHERE} == paths


def test_the_docs_show_what_each_page_takes():
    lines = "\n".join(table())
    assert lines in SECURITY.read_text(), f"docs/security.md should hold:\n{lines}"
