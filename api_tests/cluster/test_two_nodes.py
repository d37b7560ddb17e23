"""Two processes of `wsx serve` on one Redis and one database: what the back office asks of either holds for both."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api_tests.cluster.processes import Process, two_processes
from api_tests.redis_server import RedisServer, run_redis
from api_tests.waiting import SOON_S, eventually_told


@pytest.fixture(scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Process]]:
    folder = tmp_path_factory.mktemp("both")
    async with run_redis(folder / "redis") as redis, two_processes(folder, redis.url) as both:
        yield both


@pytest.fixture
async def nodes(both: list[Process]) -> AsyncIterator[list[Process]]:
    """They live through many tests. Of the one before nobody is connected, and no room is left."""
    a, _ = both
    yield both
    for node in both:
        await eventually_told(lambda node=node: _is_empty(node))
    for room in (await ok(a.api.get("/rooms")))["items"]:
        await ok(a.api.delete(f"/rooms/{room['id']}"), 204)


async def _is_empty(node: Process) -> bool:
    return [] == await node.connections()


@pytest.fixture
async def own_nodes(redis: RedisServer, tmp_path: Path) -> AsyncIterator[list[Process]]:
    """For what nobody else could live with."""
    async with two_processes(tmp_path, redis.url) as processes:
        yield processes


async def ok(call: Any, status: int = 200) -> Any:
    """The answer's body; of a request that is to succeed."""
    answer = await call
    assert status == answer.status_code, answer.text
    return answer.json() if answer.content else None


async def test_whatever_is_asked_of_connections_is_asked_of_both(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada", "premium") as ada, b.socket("ada") as ada_there, b.socket("bob", "premium") as bob:
        everybody = [ada.id, ada_there.id, bob.id]
        for node in nodes:
            assert everybody == await node.connections()
            assert [ada.id, ada_there.id] == await node.connections("user_id=ada")
            assert [ada.id, bob.id] == await node.connections("role=premium")
            assert {"connections": 3, "signed_in": 3, "users": 2, "incomplete": []} == await ok(node.api.get("/connections/count"))
            shown = await ok(node.api.get(f"/connections/{bob.id}"))
            assert [ada_there.id, bob.id] == await node.connections(f"node={shown['node']}")
            search = {
                "audience": {"kind": "except", "audience": {"kind": "signed_in"}, "excluded": {"kind": "users", "ids": ["bob"]}}
            }
            found = await ok(node.api.post("/connections/search", search))
            assert [ada.id, ada_there.id] == [item["id"] for item in found["items"]]
            tried = await ok(node.api.post("/broadcasts?dry_run=true", {**search, "target": "#status", "html": "x"}))
            assert (2, 1, []) == (tried["matched"], tried["users"], tried["incomplete"])
            assert [ada.id, ada_there.id] == [one["connection"] for one in tried["examples"]]
            dashboard = await ok(node.api.get("/dashboard"))
            assert (2, 3, []) == (dashboard["active_users"], dashboard["connections"], dashboard["incomplete"])


async def test_an_update_reaches_a_page_of_the_other_node_and_says_so(nodes: list[Process]):
    a, b = nodes
    async with b.socket("bob") as bob:
        sent = await ok(a.api.post(f"/connections/{bob.id}/updates", {"target": "#status", "html": "Ready"}), 202)
        assert (1, 1) == (sent["matched"], sent["queued"])
        assert "Ready" == (await bob.next_of("#status"))["html"]


async def test_a_broadcast_is_summed_over_both(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada") as ada, b.socket("bob") as bob:
        sent = await a.api.broadcast("for both")
        assert (1, 1) == (sent["matched"], sent["queued"])
        for node in nodes:
            known = await ok(node.api.get(f"/broadcasts/{sent['id']}"))
            assert (2, 2, []) == (known["matched"], known["queued"], known["incomplete"])
        for page in (ada, bob):
            assert "for both" == (await page.next_of("#status"))["html"]


async def test_pages_are_closed_on_both(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada") as ada, b.socket("ada") as ada_there, b.socket("bob") as bob, b.socket("cleo") as cleo:
        assert {"closed": 2} == await ok(a.api.post("/users/ada/disconnect", {"reason": "signed out"}))
        assert [(4409, "signed out")] * 2 == [await page.closed() for page in (ada, ada_there)]
        assert {"closed": 1} == await ok(a.api.post("/connections/close", {"audience": {"kind": "users", "ids": ["bob"]}}))
        assert 4409 == (await bob.closed())[0]
        await ok(a.api.delete(f"/connections/{cleo.id}"), 204)
        assert 4409 == (await cleo.closed())[0]
        await ok(a.api.delete(f"/connections/{cleo.id}"), 404)


async def test_who_is_in_a_room_is_known_on_both(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada") as ada, b.socket("bob") as bob, b.socket("cleo"):
        for page in (ada, bob):
            await page.ask("join-room", {"roomId": "lobby"})
        for node in nodes:
            assert 2 == (await ok(node.api.get("/rooms/lobby")))["connections"]
            for query in ("", "?live=true"):
                members = await ok(node.api.get(f"/rooms/lobby/members{query}"))
                assert [("ada", True), ("bob", True)] == [(one["user_id"], one["is_live"]) for one in members["items"]]
            assert [ada.id, bob.id] == await node.connections("room_id=lobby")


async def test_who_is_put_out_of_a_room_and_whose_room_is_gone_leaves_it_on_both(nodes: list[Process]):
    a, b = nodes
    async with b.socket("bob") as bob, b.socket("cleo") as cleo:
        for page in (bob, cleo):
            await page.ask("join-room", {"roomId": "lobby"})
        await ok(a.api.delete("/rooms/lobby/members/bob"), 204)
        await a.api.broadcast("put out", audience={"kind": "users", "ids": ["bob"]})
        await bob.next_of("#status")
        assert [cleo.id] == await a.connections("room_id=lobby")
        await ok(a.api.delete("/rooms/lobby"), 204)
        assert "#room-activity" == (await cleo.next_of("#room-activity"))["target"]
        await a.api.broadcast("deleted", audience={"kind": "users", "ids": ["cleo"]})
        await cleo.next_of("#status")
        assert [] == await a.connections("room_id=lobby")


async def test_counts_that_people_are_told_are_those_of_both(nodes: list[Process]):
    a, b = nodes
    places = [{"latitude": 52.52, "longitude": 13.405}, {"latitude": 52.53, "longitude": 13.41}]
    async with a.socket("ada", "admin") as ada, b.socket("bob") as bob:
        for page, place in zip((ada, bob), places, strict=True):
            await page.ask("set-location", place)
        told = await ada.ask("admin-announcement", {"message": "Hello", "priority": "high"})
        assert "<div>Announcement sent to 2 users</div>" == told["html"]
        event = {"eventData": {"title": "Music", "description": ""}, "location": {"name": "Market", **places[0]}, "radiusKm": 10}
        assert "Event broadcast to 2 nearby users" in (await ada.ask("local-event", event))["html"]
        assert "<div>Broadcast sent to 2 users</div>" == (await ada.ask("broadcast-user-updates"))["html"]
        assert "Bob - " in (await bob.next_of("#user-updates"))["html"]


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_page_that_comes_back_to_the_other_node_has_all_it_had(nodes: list[Process], is_closed: bool):
    """Also one whose old socket still seems to be open."""
    a, b = nodes
    async with a.socket("ada") as ada:
        await ada.ask("join-room", {"roomId": "lobby"})
        await a.api.broadcast("heard")
        cursor = (await ada.next_of("#status"))["cursor"]
        if is_closed:
            await ada.raw.close()
        await b.api.broadcast("missed")
        back = f"/ws?session={ada.hello['session']}&cursor={cursor}"
        async with b.socket("ada", path=back) as again:
            assert again.hello["resumed"]
            if not is_closed:
                assert "missed" == (await ada.next_of("#status"))["html"]
                assert (4403, "this page is back by another connection") == await ada.closed()
            assert "missed" == (await again.next_of("#status"))["html"]
            assert [again.id] == await a.connections("room_id=lobby")
        async with a.socket("ada", path=f"/ws?session={ada.hello['session']}&cursor={cursor}") as third:
            assert third.hello["resumed"]
            assert [third.id] == await b.connections("room_id=lobby")


@pytest.mark.parametrize("is_closed", [True, False])
async def test_somebody_else_gets_none_of_it(nodes: list[Process], is_closed: bool):
    a, b = nodes
    async with a.socket("ada") as ada:
        await ada.ask("join-room", {"roomId": "lobby"})
        if is_closed:
            await ada.raw.close()
        async with b.socket("bob", path=f"/ws?session={ada.hello['session']}") as bob:
            assert not bob.hello["resumed"]
            assert [] == [one for one in await b.connections("room_id=lobby") if one != ada.id]
        async with b.socket("ada", path=f"/ws?session={ada.hello['session']}") as again:
            assert [again.id] == await b.connections("room_id=lobby")


async def test_a_node_that_hangs_is_named_and_nothing_is_said_to_be_whole(own_nodes: list[Process]):
    a, b = own_nodes
    async with a.socket("ada") as ada, b.socket("ada") as there:
        node = (await ok(a.api.get(f"/connections/{there.id}")))["node"]
        await b.hangs()
        try:
            page = await ok(a.api.get("/connections"))
            assert ([ada.id], [node]) == ([item["id"] for item in page["items"]], page["incomplete"])
            count = await ok(a.api.get("/connections/count"))
            assert (1, [node]) == (count["connections"], count["incomplete"])
            for call in (
                a.api.post("/connections/close", {"audience": {"kind": "users", "ids": ["ada"]}}),
                a.api.get(f"/connections/{there.id}"),
                a.api.delete(f"/connections/{there.id}"),
                a.api.post("/users/ada/disconnect", {}),
            ):
                answer = await call
                assert (503, "urn:wsx:problem:incomplete", "2") == (
                    answer.status_code,
                    answer.json()["type"],
                    answer.headers["retry-after"],
                )
                assert node in answer.json()["detail"]
        finally:
            b.goes_on()
        assert (4409, "closed by the back office") == await there.closed(SOON_S)


async def test_while_redis_is_away_a_node_tells_of_itself_and_says_that_it_is_not_all(own_nodes: list[Process], redis: RedisServer):
    a, _ = own_nodes
    async with a.socket("ada") as ada:
        await redis.stop()
        page = await ok(a.api.get("/connections"))
        assert ([ada.id], ["redis"]) == ([item["id"] for item in page["items"]], page["incomplete"])
        assert 503 == (await a.api.post("/connections/close", {"audience": {"kind": "everyone"}})).status_code
        assert 4409 == (await ada.closed())[0]
