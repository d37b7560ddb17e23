"""What pages of other clients are not told of an update: whoever sends it reads it in the answer, and before, in a dry run."""

from api_tests.client import ApiClient
from api_tests.server import Running

EVERYONE = {"kind": "everyone"}
UPDATE = {"target": "#a", "html": "x", "swap": "beforeend swap:100ms scroll:bottom", "oob": [{"target": "#b", "html": "y"}]}
LEFT_OUT = [{"target": "#a", "words": ["swap:100ms", "scroll:bottom"], "dialects": ["htmx", "turbo"]}]


async def test_words_that_other_clients_have_none_for_are_listed_and_refuse_nothing(api: ApiClient) -> None:
    body = {"audience": EVERYONE, **UPDATE}
    sent = await api.post("/broadcasts", body)
    assert (202, LEFT_OUT) == (sent.status_code, sent.json()["left_out"])
    assert LEFT_OUT == (await api.post("/broadcasts", {**body, "pace": "queued"})).json()["left_out"]
    assert LEFT_OUT == (await api.post("/broadcasts?dry_run=true", body)).json()["left_out"]
    assert LEFT_OUT == (await api.post("/broadcasts/batch", {"updates": [body]})).json()["left_out"]
    assert LEFT_OUT == (await api.post("/broadcasts/batch?dry_run=true", {"updates": [body]})).json()["left_out"]


async def test_where_nothing_is_left_out_nothing_is_said_of_it(api: ApiClient) -> None:
    assert "left_out" not in await api.broadcast("x", "#a, .b", swap="textContent")


async def test_of_one_page_its_own_dialect_counts(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ours, server.events("eve", query="?dialect=turbo") as theirs:
        told = await api.post(f"/connections/{ours.id}/updates", UPDATE)
        assert "left_out" not in told.json()
        told = await api.post(f"/connections/{theirs.hello['connection']}/updates", UPDATE)
        assert [{**LEFT_OUT[0], "dialects": ["turbo"]}] == told.json()["left_out"]
