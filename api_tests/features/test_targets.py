"""Keys that may write to some places only: refused wherever they name another, and they make no key that may more."""

import pytest

from api_tests.client import ApiClient
from api_tests.server import Running
from app.auth.targets import MAX_TARGETS

EVERYONE = {"kind": "everyone"}
SCOPES = ["broadcasts:write", "connections:*", "users:write", "keys:admin"]


async def key_at(api: ApiClient, *targets: str) -> str:
    made = await api.post("/api-keys", {"name": "chat", "scopes": SCOPES, "targets": list(targets)})
    assert 201 == made.status_code, made.text
    return made.json()["key"]


async def test_a_chat_key_writes_to_the_chat_and_nowhere_else_on_whatever_path(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await key_at(api, "#chat*")) as chat, server.socket("ada") as page:
        good, bad = {"target": "#chat-messages", "html": "hi"}, {"target": "body", "html": "mine"}
        sent = 0
        for content in (good, bad, {**good, "oob": [bad]}, {**good, "oob": [{"target": "#chat,body", "html": "x"}]}):
            bodies = {
                "/broadcasts": {"audience": EVERYONE, **content},
                "/broadcasts?dry_run=true": {"audience": EVERYONE, **content},
                "/broadcasts/batch": {"updates": [{"audience": EVERYONE, **good}, {"audience": EVERYONE, **content}]},
                f"/connections/{page.id}/updates": content,
                "/users/updates": {"updates": [{"user_id": "ada", **good}, {"user_id": "ada", **content}]},
            }
            for path, body in bodies.items():
                answer = await chat.post(path, body)
                if content is good:
                    assert answer.status_code in {200, 202}, answer.text
                    sent += "dry_run" not in path
                else:
                    assert (403, "urn:wsx:problem:forbidden") == (answer.status_code, answer.json()["type"])
                    assert "may not write to 'body'" in answer.json()["detail"] or "'#chat,body'" in answer.json()["detail"]
                    assert "it may write to #chat*" in answer.json()["detail"]
        await api.broadcast("the end")
        heard = []
        while (told := await page.next()).get("html") != "the end":
            heard += [update["target"] for update in told.get("updates", [told])]
        assert ({"#chat-messages"}, sent + 2) == (set(heard), len(heard))


async def test_the_list_of_a_key_is_shown_and_held_by_the_keys_that_it_makes(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await key_at(api, " #chat* ", "#status")) as chat:
        for wanted in (None, ["body"], ["#c*"], ["#status*"]):
            refused = await chat.post("/api-keys", {"name": "x", "scopes": ["broadcasts:write"], "targets": wanted})
            assert (403, True) == (refused.status_code, "cannot give what it has not: targets" in refused.json()["detail"])
        made = await chat.post("/api-keys", {"name": "x", "scopes": ["broadcasts:write"], "targets": ["#chat-2*", "#status"]})
        assert (201, ["#chat-2*", "#status"]) == (made.status_code, made.json()["targets"])
    plain = await api.post("/api-keys", {"name": "y", "scopes": ["broadcasts:write"]})
    listed = (await api.get("/api-keys")).json()["items"]
    assert [None, ["#chat-2*", "#status"], ["#chat*", "#status"]] == [item["targets"] for item in listed]
    assert plain.json()["targets"] is None


@pytest.mark.parametrize(
    ("targets", "pointer"),
    [
        ([], "/targets"),
        (["#a"] * (MAX_TARGETS + 1), "/targets"),
        (["#a", ""], "/targets/1"),
        (["#a", " "], "/targets/1"),
        (["*"], "/targets/0"),
        (["x" * 257], "/targets/0"),
    ],
)
async def test_a_list_that_says_nothing_or_too_much_is_refused(api: ApiClient, targets: list[str], pointer: str) -> None:
    answer = await api.post("/api-keys", {"name": "x", "scopes": ["admin"], "targets": targets})
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_cleaned_html_takes_no_id_that_its_key_may_not_write_to_or_that_scripts_may_look_for(
    server: Running, api: ApiClient
) -> None:
    ids = "<p id='chat'>1</p><p id='chat-2'>2</p><p id='admin-panel'>3</p><p id='config'>4</p><p id='body'>5</p><p name='x-y'>6</p>"
    async with (
        ApiClient(server.url, await key_at(api, "#chat*")) as chat,
        ApiClient(server.url, await api.key_with("broadcasts:write")) as other,
        server.socket() as page,
    ):
        await chat.broadcast(ids, "#chat", swap="outerHTML")
        assert '<p id="chat">1</p><p id="chat-2">2</p><p>3</p><p>4</p><p>5</p><p>6</p>' == (await page.next())["html"]
        await other.broadcast(ids, "#status")
        assert '<p>1</p><p id="chat-2">2</p><p id="admin-panel">3</p><p>4</p><p>5</p><p>6</p>' == (await page.next())["html"]
        await other.broadcast(ids, "[id=config]")
        assert '<p>1</p><p id="chat-2">2</p><p id="admin-panel">3</p><p>4</p><p>5</p><p>6</p>' == (await page.next())["html"]
