"""POST /broadcasts and /broadcasts/batch: who hears, what they hear, what is refused."""

from typing import Any

import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient
from api_tests.server import Running
from app.hub.audience import MAX_PARTS_IN_BATCH


async def test_a_page_that_only_listens_hears_a_broadcast(server: Running, api: ApiClient) -> None:
    """It is registered when its handshake ends, not at its first message."""
    async with server.socket(v1=False) as page:
        receipt = await api.broadcast("<p>Hello</p>", "#global-status")
        heard = await page.next()
    assert {"id": receipt["id"], "target": "#global-status", "html": "<p>Hello</p>", "swap": "innerHTML"} == heard
    assert (1, 1) == (receipt["matched"], receipt["queued"])


async def test_only_clients_of_wsx_v1_get_a_cursor_and_it_increases(server: Running, api: ApiClient) -> None:
    async with server.socket() as new, server.socket(v1=False) as old:
        for text in ("one", "two"):
            await api.broadcast(text)
        cursors = [(await new.next())["cursor"] for _ in range(2)]
        assert new.hello["cursor"] < cursors[0] < cursors[1]
        assert "cursor" not in await old.next()


ROW = "<tr><td>1</td></tr>"
TABLE = f"<table><tbody>{ROW}</tbody></table>"


@pytest.mark.parametrize(
    ("audience", "hears"),
    [
        ({"kind": "everyone"}, {"ada", "bob", "nobody"}),
        ({"kind": "signed_in"}, {"ada", "bob"}),
        ({"kind": "users", "ids": ["ada", "zoe"]}, {"ada"}),
        ({"kind": "roles", "names": ["editor", "other"]}, {"bob"}),
        ({"kind": "any_of", "audiences": [{"kind": "users", "ids": ["ada"]}, {"kind": "signed_in"}]}, {"ada", "bob"}),
        ({"kind": "all_of", "audiences": [{"kind": "signed_in"}, {"kind": "roles", "names": ["editor"]}]}, {"bob"}),
        ({"kind": "except", "audience": {"kind": "everyone"}, "excluded": {"kind": "users", "ids": ["bob"]}}, {"ada", "nobody"}),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
async def test_just_the_audience_hears(server: Running, api: ApiClient, audience: object, hears: set[str]) -> None:
    async with server.socket("ada") as ada, server.socket("bob", roles=("editor",)) as bob, server.socket() as nobody:
        receipt = await api.broadcast("meant", audience=audience)
        await api.broadcast("for all")
        for name, page in {"ada": ada, "bob": bob, "nobody": nobody}.items():
            assert ("meant" if name in hears else "for all") == (await page.next())["html"]
    assert len(hears) == receipt["matched"]


async def test_connections_are_an_audience(server: Running, api: ApiClient) -> None:
    async with server.socket() as one, server.socket() as other:
        await api.broadcast("just you", audience={"kind": "connections", "ids": [one.id]})
        await api.broadcast("both")
        assert "just you" == (await one.next())["html"]
        assert "both" == (await other.next())["html"]


async def test_oob_fragments_travel_with_their_update(server: Running, api: ApiClient) -> None:
    async with server.socket() as page:
        await api.broadcast("a", oob=[{"target": "#b", "html": "b", "swap": "beforeend scroll:bottom"}])
        assert [{"target": "#b", "html": "b", "swap": "beforeend scroll:bottom"}] == (await page.next())["oob"]


async def test_a_batch_is_one_message_with_just_what_a_page_may_hear(server: Running, api: ApiClient) -> None:
    updates = [
        {"audience": {"kind": "everyone"}, "target": "#status", "html": "one"},
        {"audience": {"kind": "roles", "names": ["editor"]}, "target": "#admin-panel", "html": "two", "swap": "beforeend"},
        {"audience": {"kind": "everyone"}, "target": "#status", "html": "three"},
    ]
    async with server.socket("bob", roles=("editor",), v1=False) as editor, server.socket(v1=False) as other:
        receipt = (await api.post("/broadcasts/batch", {"updates": updates})).json()
        assert 2 == receipt["matched"]
        told = await editor.next()
        assert "batch" == told["type"]
        assert ["one", "two", "three"] == [update["html"] for update in told["updates"]]
        assert ["one", "three"] == [update["html"] for update in (await other.next())["updates"]]


async def test_a_client_that_knows_no_batch_gets_oob(server: Running, api: ApiClient) -> None:
    updates = [
        {"audience": {"kind": "everyone"}, "target": "#a", "html": "one", "oob": [{"target": "#b", "html": "two"}]},
        {"audience": {"kind": "everyone"}, "target": "#c", "html": "three"},
    ]
    async with server.socket(v1=False, path="/ws?batch=oob") as page:
        await api.post("/broadcasts/batch", {"updates": updates})
        told = await page.next()
    assert ("#a", "one") == (told["target"], told["html"])
    assert [("#b", "two"), ("#c", "three")] == [(part["target"], part["html"]) for part in told["oob"]]


async def test_a_mass_update_is_one_batch_for_each_connection(server: Running) -> None:
    async with (
        server.socket("root", roles=("admin",)) as admin,
        server.socket("boss", roles=("admin",)) as other,
        server.socket("ada") as ada,
        server.socket(v1=False) as nobody,
    ):
        answer = await admin.ask("mass-update")
        assert ("#answer", "<div>Mass update completed</div>") == (answer["target"], answer["html"])
        for_all = {"target": "#status", "html": "<div>Mass update initiated</div>", "swap": "innerHTML"}
        for_admins = {"target": "#admin-panel", "html": "<div>Admin notification</div>", "swap": "innerHTML"}
        for page, updates in ((other, [for_all, for_admins]), (ada, [for_all]), (nobody, [for_all])):
            told = await page.next()
            assert ("batch", updates) == (told["type"], told["updates"])


@pytest.mark.parametrize("who", [{}, {"user_id": "ada", "roles": ("premium",)}], ids=["not signed in", "no admin"])
async def test_a_mass_update_is_for_admins(server: Running, api: ApiClient, who: dict[str, object]) -> None:
    async with server.socket(**who) as page, server.socket() as other:
        answer = await page.ask("mass-update")
        assert '<div class="error">Admin access required</div>' == answer["html"]
        assert "not_admin" == page.errors[0]["code"]
        await api.broadcast("for all")
        await other.hears_nothing_but("for all")


async def test_a_broadcast_is_remembered(api: ApiClient) -> None:
    receipt = await api.broadcast("x")
    assert {**receipt, "incomplete": []} == (await api.get(f"/broadcasts/{receipt['id']}")).json()


async def test_html_of_a_key_without_html_raw_is_cleaned(server: Running, api: ApiClient) -> None:
    """And the admin's is not: `admin` has every scope."""
    html = (
        '<div class="a" onclick="x()" wx-send="h" hx-get="/" data-wx-send="h">Hi<script>x()</script>'
        '<form action="/"><input name="a"></form><a href="javascript:x()">y</a></div>'
    )
    key = await api.key_with("broadcasts:write")
    async with server.socket(v1=False) as page, ApiClient(api.url, key) as other:
        await other.broadcast(html, oob=[{"target": "#b", "html": "<b>b</b><script>x()</script>"}])
        cleaned = await page.next()
        await api.broadcast(html)
        raw = await page.next()
    assert '<div class="a">Hi<a rel="noopener noreferrer">y</a></div>' == cleaned["html"]
    assert "<b>b</b>" == cleaned["oob"][0]["html"]
    assert html == raw["html"]


GOOD = {"audience": {"kind": "everyone"}, "target": "#status", "html": "x"}
DEEP = {"kind": "everyone"}
for _ in range(8):
    DEEP = {"kind": "any_of", "audiences": [DEEP]}


@on_one_server(
    ("body", "pointer", "detail"),
    [
        ({**GOOD, "color": "red"}, "/color", "unknown field"),
        ({"target": "#a", "html": "x"}, "/audience", "missing"),
        ({**GOOD, "html": 5}, "/html", "Expected `str`, got `int`"),
        ({**GOOD, "target": ""}, "/target", "Expected `str` of length >= 1"),
        ({**GOOD, "swap": "explode"}, "/swap", "unknown swap 'explode'"),
        ({**GOOD, "swap": "innerHTML blink:1s"}, "/swap", "unknown swap word 'blink:1s'"),
        ({**GOOD, "oob": [{"target": "#b", "swap": "explode"}]}, "/oob/0/swap", "unknown swap 'explode'"),
        ({**GOOD, "audience": {"kind": "users", "ids": []}}, "/audience/ids", "Expected `array` of length >= 1"),
        ({**GOOD, "audience": {"kind": "planets"}}, "/audience/kind", "Invalid value 'planets'"),
        ({**GOOD, "audience": {}}, "/audience/kind", "missing"),
        ({**GOOD, "audience": {"kind": "any_of", "audiences": []}}, "/audience/audiences", "Expected `array` of length >= 1"),
        ({**GOOD, "audience": DEEP}, "/audience/audiences", "nested more than 8 deep"),
        (["not", "an", "object"], "", "Expected `object`, got `array`"),
    ],
)
async def test_a_wrong_field_is_named(api: ApiClient, body: object, pointer: str, detail: str) -> None:
    answer = await api.post("/broadcasts", body)
    problem = answer.json()
    assert (422, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "urn:wsx:problem:invalid_fields" == problem["type"]
    assert pointer == problem["errors"][0]["pointer"]
    assert detail in problem["errors"][0]["detail"]
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert ("/api/v1/broadcasts", 422) == (problem["instance"], problem["status"])


@pytest.mark.parametrize(
    ("content", "detail"),
    [(b"", "there is none"), (b"{", "not JSON"), (b"\xff", "not JSON")],
    ids=["empty", "cut off", "not UTF-8"],
)
async def test_a_body_that_is_not_json_is_refused(api: ApiClient, content: bytes, detail: str) -> None:
    answer = await api.http.post("/api/v1/broadcasts", content=content)
    assert 400 == answer.status_code
    assert detail in answer.json()["detail"]


async def test_a_body_over_the_limit_is_refused_and_the_limit_is_named(api: ApiClient) -> None:
    answer = await api.post("/broadcasts", {**GOOD, "html": "x" * 300_000})
    assert 413 == answer.status_code
    assert "urn:wsx:problem:too_large" == answer.json()["type"]
    assert "262144 bytes (WSX_MAX_BODY_BYTES)" in answer.json()["detail"]


async def test_a_hundred_updates_are_a_batch_and_more_are_not(api: ApiClient) -> None:
    assert 202 == (await api.post("/broadcasts/batch", {"updates": [GOOD] * 100})).status_code
    assert 422 == (await api.post("/broadcasts/batch", {"updates": [GOOD] * 101})).status_code
    assert "/updates" == (await api.post("/broadcasts/batch", {"updates": []})).json()["errors"][0]["pointer"]


async def test_the_audiences_of_a_batch_are_bounded_together(api: ApiClient) -> None:
    def updates(parts: int) -> list[Any]:
        wide = {"kind": "any_of", "audiences": [{"kind": "signed_in"}] * 32}
        return [{**GOOD, "audience": wide}] * (parts // 32) + [GOOD] * (parts % 32)

    assert 202 == (await api.post("/broadcasts/batch", {"updates": updates(MAX_PARTS_IN_BATCH)})).status_code
    refused = await api.post("/broadcasts/batch", {"updates": updates(MAX_PARTS_IN_BATCH + 1)})
    (error,) = refused.json()["errors"]
    assert (422, "/updates", True) == (refused.status_code, error["pointer"], "more than 256 audiences" in error["detail"])


async def test_an_unknown_broadcast_is_not_found(api: ApiClient) -> None:
    answer = await api.get("/broadcasts/nothing")
    assert (404, "urn:wsx:problem:not_found") == (answer.status_code, answer.json()["type"])


@pytest.mark.parametrize(
    ("html", "swap", "told"),
    [
        ("Fish & chips <b>", "textContent", "Fish & chips <b>"),
        ("<tr onclick=x()><td>1</td><script>x()</script></tr>", "beforeend", "<tr><td>1</td></tr>"),
        (" <td>1</td><th>2</th>", "beforeend", "<td>1</td><th>2</th>"),
        ("<tbody><tr><td>1</td></tr></tbody>", "outerHTML", "<tbody><tr><td>1</td></tr></tbody>"),
        ("<tr><td>1</td></tr></table><form><input></form><p>2</p>", "beforeend", f"{TABLE}<p>2</p>"),
        (
            f"{ROW}</tbody></table><h1>2</h1><table><tbody>",
            "beforeend",
            f"{TABLE}<h1>2</h1><table><tbody></tbody></table>",
        ),
        ("<caption>1</caption></table><h1>2</h1>", "beforeend", "<table><caption>1</caption></table><h1>2</h1>"),
        (
            f"<tr><td>{TABLE}</td></tr>",
            "beforeend",
            f"<tr><td>{TABLE}</td></tr>",
        ),
    ],
)
async def test_cleaning_keeps_text_and_parts_of_tables(server: Running, api: ApiClient, html: str, swap: str, told: str) -> None:
    key = await api.key_with("broadcasts:write")
    async with ApiClient(server.url, key) as limited, server.socket() as page:
        await limited.broadcast(html, swap=swap)
        heard = (await page.next())["html"]
        assert told == heard.strip()


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (
            '{"audience": {"kind": "everybody"}, "target": "#a", "html": "x"}',
            "/audience/kind",
            "there are all_of, any_of, connections",
        ),
        (
            '{"audience": {"kind": "any_of", "audiences": [{"kind": "x"}]}, "target": "#a", "html": "x"}',
            "/audience/audiences/0/kind",
            "there are",
        ),
        ('{"audience": {"kind": "everyone"}, "target": "#a"}', "/html", "only delete and none need none"),
        ('{"audience": {"kind": "everyone"}, "target": "#a", "html": "x", "oob": [{"target": "#b"}]}', "/oob/0/html", "missing"),
        ('{"audience": {"kind": "users", "ids": ["a\\u0000"]}, "target": "#a", "html": "x"}', "/audience/ids/0", "not allowed"),
    ],
)
async def test_what_is_wrong_is_told_with_what_would_be_right(api: ApiClient, body: str, pointer: str, detail: str) -> None:
    answer = await api.http.post("/api/v1/broadcasts", content=body)
    (error,) = answer.json()["errors"]
    assert (422, pointer) == (answer.status_code, error["pointer"])
    assert detail in error["detail"]


async def test_only_delete_and_none_do_without_html(api: ApiClient) -> None:
    for swap in ("delete", "none"):
        body = {"audience": {"kind": "everyone"}, "target": "#a", "swap": swap}
        assert 202 == (await api.post("/broadcasts", body)).status_code


async def test_a_body_in_another_encoding_is_told_so(api: ApiClient) -> None:
    body = '{"audience": {"kind": "everyone"}, "target": "#a", "html": "é"}'.encode("latin-1")
    answer = await api.http.post("/api/v1/broadcasts", content=body)
    assert (400, True) == (answer.status_code, "not UTF-8" in answer.json()["detail"])
