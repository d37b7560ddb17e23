"""What callers put into pages: by template or as HTML, where they may, and how much."""

from typing import Any

import msgspec
import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient
from api_tests.server import Running
from app.features.content import service
from app.features.content.model import MAX_HTML_CHARS, MAX_NAME_CHARS
from app.features.content.sandbox import MAX_RENDERED_BYTES
from app.features.content.service import MAX_CALL_BYTES, MAX_CONTEXT_BYTES
from app.wire.update import MAX_OOB, MAX_TARGET_CHARS

EVERYONE = {"kind": "everyone"}
NOTICE = {"template": "notice", "context": {"title": "<b>Fish & chips</b>"}}
SHOWN = '<div class="notice info" role="status">\n  <strong>&lt;b&gt;Fish &amp; chips&lt;/b&gt;</strong>\n</div>'


async def wrong(api: ApiClient, content: Any, path: str = "/broadcasts") -> list[tuple[str, str]]:
    """What is refused, with its places."""
    answer = await api.post(path, {"audience": EVERYONE, "target": "#a", **content} if path == "/broadcasts" else content)
    assert 422 == answer.status_code, answer.text
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


async def test_a_template_is_filled_in_and_escaped_wherever_html_may_stand(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as page:
        whole = {"target": "#a", **NOTICE, "swap": "afterbegin", "oob": [{"target": "#b", **NOTICE}]}
        await api.post("/broadcasts", {"audience": EVERYONE, **whole})
        await api.post("/broadcasts/batch", {"updates": [{"audience": EVERYONE, **whole}]})
        await api.post(f"/connections/{page.id}/updates", whole)
        await api.post("/users/updates", {"updates": [{"user_id": "ada", **whole}]})
        for _ in range(4):
            told = await page.next()
            first, second = told["updates"] if "updates" in told else (told, *told["oob"])
            assert ("#a", SHOWN, "afterbegin") == (first["target"], first["html"], first["swap"])
            assert ("#b", SHOWN, "innerHTML") == (second["target"], second["html"], second["swap"])


async def test_what_is_null_is_shown_as_nothing(api: ApiClient) -> None:
    card = {"template": "card", "context": {"title": None, "text": "Open", "link": None}}
    told = await api.post("/broadcasts?dry_run=true", {"audience": EVERYONE, "target": "#a", **card})
    (shown,) = told.json()["updates"]
    assert '<article class="card">\n  <h3></h3>\n  <p>Open</p>\n</article>' == shown["html"]


async def test_templates_are_listed_with_their_fields_for_any_key(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await api.key_with("follows:read")) as weak:
        pages = [await weak.get("/templates?limit=2")]
        assert 'rel="next"' in pages[0].headers["link"]
        pages.append(await weak.get(f"/templates?cursor={pages[0].json()['next_cursor']}"))
    listed = {item["name"]: item["fields"] for page in pages for item in page.json()["items"]}
    assert ["card", "list", "notice"] == list(listed)
    assert [("kind", False), ("message", False), ("title", True)] == [(one["name"], one["required"]) for one in listed["notice"]]
    assert [{"name": "items", "required": True}] == listed["list"]
    assert pages[1].json()["next_cursor"] is None


@on_one_server(
    ("content", "pointer", "detail"),
    [
        ({}, "/html", "missing, and so is `template`"),
        ({"html": "x", **NOTICE}, "/template", "not both"),
        ({"html": "x", "context": {}}, "/context", "there is none"),
        ({"template": "nope"}, "/template", "there are card, list, notice"),
        ({"template": "../announcements/published", "context": {}}, "/template", "no such template"),
        ({"template": "announcements/published", "context": {}}, "/template", "no such template"),
        ({"template": ""}, "/template", "length >= 1"),
        ({"template": "x" * (MAX_NAME_CHARS + 1)}, "/template", f"length <= {MAX_NAME_CHARS}"),
        ({"template": "notice"}, "/context/title", "missing"),
        ({"template": "notice", "context": {"title": "x", "a/b~": 1}}, "/context/a~1b~0", "there are kind, message, title"),
        ({"template": "notice", "context": ["x"]}, "/context", "Expected `object`"),
        ({"template": "list", "context": {"items": 5}}, "/context", "cannot be filled in with this: a value is of another kind"),
        ({"template": "list", "context": {"items": [{}]}}, "/context", "an object or a list stands where a text"),
        ({"template": "card", "context": {"title": "x", "text": "x", "link": "java\tscript:x"}}, "/context", "must be relative"),
        ({"html": "x", "oob": [{"target": "#b", "template": "nope"}]}, "/oob/0/template", "no such template"),
        ({"html": "x", "oob": [{"target": "#b", "html": "y", "template": "notice"}]}, "/oob/0/template", "not both"),
        ({"html": "x", "swap": "explode"}, "/swap", "unknown swap"),
    ],
)
async def test_what_is_wrong_with_content_is_told_with_its_place(api: ApiClient, content: Any, pointer: str, detail: str) -> None:
    ((at, words),) = await wrong(api, content)
    assert (pointer, True) == (at, detail in words), words


async def test_all_missing_and_unknown_fields_are_named_at_once_wherever_they_are(api: ApiClient) -> None:
    update = {"audience": EVERYONE, "target": "#a", "html": "x", "oob": [{"target": "#b", "template": "card", "context": {"x": 1}}]}
    at = "/updates/1/oob/0/context"
    assert [f"{at}/text", f"{at}/title", f"{at}/x"] == [
        pointer for pointer, _ in await wrong(api, {"updates": [{**update, "oob": []}, update]}, "/broadcasts/batch")
    ]
    users = {"updates": [{"user_id": "ada", "target": "#a", "template": "list"}]}
    assert [("/updates/0/context/items", "missing")] == await wrong(api, users, "/users/updates")


def items_of(size: int) -> dict[str, Any]:
    """A context of so many bytes, as JSON."""
    context: dict[str, Any] = {"items": [""]}
    context["items"][0] = "x" * (size - len(msgspec.json.encode(context)))
    return context


async def test_sizes_are_bounded_and_each_bound_is_named_at_its_edge(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(inside: Any, outside: Any, pointer: str, *bounds: int) -> None:
        answer = await api.post("/broadcasts", {"audience": EVERYONE, "target": "#a", **inside})
        assert 202 == answer.status_code, answer.text
        ((at, detail),) = await wrong(api, outside)
        assert (pointer, True) == (at, all(str(bound) in detail for bound in bounds)), detail

    await both({"html": "x" * MAX_HTML_CHARS}, {"html": "x" * (MAX_HTML_CHARS + 1)}, "/html", MAX_HTML_CHARS)
    piece = {"target": "#b", "html": "x"}
    await both({"html": "x", "oob": [piece] * MAX_OOB}, {"html": "x", "oob": [piece] * (MAX_OOB + 1)}, "/oob", MAX_OOB)
    longest = "#" + "x" * (MAX_TARGET_CHARS - 1)
    await both({"target": longest, "html": "x"}, {"target": longest + "x", "html": "x"}, "/target", MAX_TARGET_CHARS)
    contexts = [{"template": "list", "context": items_of(MAX_CONTEXT_BYTES + more)} for more in (0, 1)]
    await both(*contexts, "/context", MAX_CONTEXT_BYTES)
    around = len('<ul class="list">\n  <li></li>\n</ul>\n') - 1
    fits, left = divmod(MAX_RENDERED_BYTES - around, len("&amp;"))
    rendered = [{"template": "list", "context": {"items": ["&" * fits + "x" * (left + more)]}} for more in (0, 1)]
    await both(*rendered, "/context", MAX_RENDERED_BYTES)
    monkeypatch.setattr(service, "MAX_CALL_BYTES", 9)
    pieces = [{"html": "é" * 3, "oob": [{"target": "#b", "html": "x" * size}]} for size in (3, 4)]
    await both(*pieces, "/oob/0/html", 9)
    assert 2 * MAX_HTML_CHARS == MAX_CALL_BYTES


async def test_what_one_call_may_send_counts_over_all_its_updates(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_CALL_BYTES", 2 * len(SHOWN.encode()))
    update = {"audience": EVERYONE, "target": "#a", **NOTICE}
    assert 202 == (await api.post("/broadcasts/batch", {"updates": [update] * 2})).status_code
    ((at, _),) = await wrong(api, {"updates": [update] * 3}, "/broadcasts/batch")
    assert "/updates/2/template" == at
