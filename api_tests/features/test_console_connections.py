"""The console's list of connections, and the story of one of them."""

import re

import pytest

from api_tests.client import ApiClient
from api_tests.features.operator import Operator, said, shown
from api_tests.server import Running
from api_tests.waiting import MS
from app.features.console import live

CROWD = 500


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a moment."""
    monkeypatch.setattr(live, "EVERY_S", 20 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 10 * MS)


async def test_connections_are_found_by_user_room_role_and_node(server: Running):
    async with (
        Operator(server) as operator,
        server.socket("ada", name="Ada", roles=("premium",)) as ada,
        server.socket("bob", name="Bob") as bob,
    ):
        await ada.ask("join-room", {"roomId": "lobby"})
        node = next(iter(server.hub.roster.nodes))
        for query, found in (
            ({"user_id": "ada"}, {ada.id}),
            ({"room_id": "lobby"}, {ada.id}),
            ({"role": "premium"}, {ada.id}),
            ({"node": node}, {ada.id, bob.id}),
            ({"user_id": "bob", "room_id": "lobby"}, set()),
        ):
            text = (await operator.see("/connections", **query)).text
            assert found == {one for one in (ada.id, bob.id) if f"id={one}" in text}, query
        wrong = await operator.see("/connections", node="nowhere")
        assert (422, True) == (wrong.status_code, 'value="nowhere"' in wrong.text)
        assert re.search(r'id="wrong-node">there is no such node; there are \w+<', wrong.text)


async def test_a_page_has_fifty_connections_however_many_there_are(server: Running):
    async with Operator(server) as operator:
        sockets = [server.socket(f"user-{number}") for number in range(CROWD)]
        try:
            for socket in sockets:
                await socket.__aenter__()
            seen: set[str] = set()
            query: dict[str, str] = {}
            while True:
                text = (await operator.see("/connections", **query)).text
                ids = re.findall(r'href="/console/connection\?id=(\w+)"', text)
                assert len(ids) <= 50
                assert seen.isdisjoint(ids)
                seen.update(ids)
                following = re.search(r'id="page-next" href="[^"]*cursor=([^"&]+)"', text)
                if following is None:
                    break
                query = {"cursor": following[1]}
            assert CROWD == len(seen)
            assert f"{CROWD} connections of {CROWD} users" in text
        finally:
            for socket in sockets:
                await socket.__aexit__()


async def test_a_connection_is_told_of_and_closed(server: Running):
    async with Operator(server) as operator, server.socket("ada") as ada, server.socket("ada") as other:
        await ada.ask("join-room", {"roomId": "lobby"})
        text = (await operator.see("/connection", id=ada.id)).text
        for word in (other.id, "lobby", "127.0.0.1", "wsx.v1", 'action="/console/connection/close"'):
            assert word in text, word
        answer = await operator.post("/connection/close", id=ada.id)
        assert "/console/connections?done=closed" == answer.headers["location"]
        assert 4409 == (await ada.closed())[0]
        again = await operator.post("/connection/close", id=ada.id)
        assert (404, True) == (again.status_code, "No connection of this id is open" in said(again))


async def test_a_story_tells_who_closed_the_connection_and_by_which_key(server: Running, api: ApiClient, hasty: None):
    key = await api.key_with("connections:*", "audit:read")
    async with Operator(server, key) as operator, server.socket("ada") as ada, operator.socket() as window:
        await window.ask("watch", {"page": "connection", "query": f"id={ada.id}"})
        await shown(window, "Nothing yet")
        await api.post(f"/connections/{ada.id}/updates", {"target": "#status", "html": "Ready"})
        assert "WSX_ADMIN_KEY" in await shown(window, "send_update")
        await operator.see("/connection", id=ada.id)
        await operator.post("/connection/close", id=ada.id)
        html = await shown(window, "No connection of this id is open", "close_connection")
        assert key.split("_")[1] in html
        gone = await operator.see("/connection", id=ada.id)
        assert (404, True) == (gone.status_code, "close_connection" in gone.text)
        assert 'action="/console/connection/close"' not in gone.text
        assert "close_connection" in (await operator.see("/audit", connection_id=ada.id)).text
        assert "Nothing was done" in (await operator.see("/audit", connection_id="another")).text


async def test_a_story_shows_nothing_of_the_audit_log_to_a_key_that_may_not_read_it(server: Running, api: ApiClient, hasty: None):
    async with Operator(server, await api.key_with("connections:*")) as operator, server.socket("ada") as ada:
        text = (await operator.see("/connection", id=ada.id)).text
        await operator.post("/connection/close", id=ada.id)
        text += (await operator.see("/connection", id=ada.id)).text
        assert "No connection of this id is open" in text
        assert "In the audit log" not in text
