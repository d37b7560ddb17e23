"""Live connections: listed, found, counted, told, closed."""

from api_tests.client import ApiClient
from api_tests.server import Running


async def test_a_connection_tells_about_itself(server: Running, api: ApiClient) -> None:
    headers = {"User-Agent": "test browser"}
    async with server.socket("ada", name="Ada", roles=("premium", "beta"), user_agent_header=None, headers=headers) as ada:
        await ada.ask("nothing")
        shown = (await api.get(f"/connections/{ada.id}")).json()
    times = [shown.pop("connected_at"), shown.pop("last_active_at")]
    assert times[0] < times[1]
    assert {
        "id": ada.id,
        "node": server.hub.returning.ids.node,
        "user_id": "ada",
        "user_name": "Ada",
        "roles": ["beta", "premium"],
        "rooms": [],
        "dialect": "wsx.v1",
        "address": "127.0.0.1",
        "user_agent": "test browser",
        "queued_bytes": 0,
        "sent_count": 3,
        "received_count": 1,
    } == shown


async def test_a_list_is_filtered_and_paged_oldest_first(server: Running, api: ApiClient) -> None:
    async with (
        server.socket("ada", roles=("premium",)) as first,
        server.socket("ada") as second,
        server.socket("bob", roles=("premium",)) as third,
        server.socket() as fourth,
    ):
        pages = [(await api.get("/connections?limit=3"))]
        pages.append(await api.get(f"/connections?limit=3&cursor={pages[0].json()['next_cursor']}"))
        assert [first.id, second.id, third.id, fourth.id] == [item["id"] for page in pages for item in page.json()["items"]]
        assert 'rel="next"' in pages[0].headers["link"]
        assert "link" not in pages[1].headers
        for query, wanted in {
            "user_id=ada": [first.id, second.id],
            "role=premium": [first.id, third.id],
            "user_id=ada&role=premium": [first.id],
            "user_id=nobody": [],
        }.items():
            assert wanted == [item["id"] for item in (await api.get(f"/connections?{query}")).json()["items"]]
        assert {"connections": 4, "signed_in": 3, "users": 2, "incomplete": []} == (await api.get("/connections/count")).json()


async def test_a_search_by_audience_finds_who_would_hear(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("bob"), server.socket():
        audience = {"kind": "except", "audience": {"kind": "signed_in"}, "excluded": {"kind": "users", "ids": ["bob"]}}
        found = (await api.post("/connections/search", {"audience": audience})).json()
    assert [ada.id] == [item["id"] for item in found["items"]]


async def test_a_node_that_is_none_is_named_with_those_that_are(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada:
        (shown,) = (await api.get("/connections")).json()["items"]
        assert [ada.id] == [one["id"] for one in (await api.get(f"/connections?node={shown['node']}")).json()["items"]]
        refused = await api.get("/connections?node=nope")
        problem = {"pointer": "?node", "detail": f"there is no such node; there are {shown['node']}"}
        assert (422, [problem]) == (refused.status_code, refused.json()["errors"])


async def test_a_closed_connection_is_told_why_and_is_gone(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada:
        assert 204 == (await api.delete(f"/connections/{ada.id}")).status_code
        assert (4409, "closed by the back office") == await ada.closed()
    assert 404 == (await api.delete(f"/connections/{ada.id}")).status_code
    assert 404 == (await api.get(f"/connections/{ada.id}")).status_code
    assert {"connections": 0, "signed_in": 0, "users": 0, "incomplete": []} == (await api.get("/connections/count")).json()


async def test_an_audience_is_closed_and_the_others_stay(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as tab, server.socket("ada") as other_tab, server.socket("bob") as bob:
        body = {"audience": {"kind": "users", "ids": ["ada"]}, "reason": "signed out"}
        assert {"closed": 2} == (await api.post("/connections/close", body)).json()
        assert [(4409, "signed out")] * 2 == [await page.closed() for page in (tab, other_tab)]
        await api.broadcast("still here")
        assert "still here" == (await bob.next())["html"]


async def test_a_reason_that_fits_no_close_frame_is_refused(api: ApiClient) -> None:
    body = {"audience": {"kind": "everyone"}, "reason": "ü" * 62}
    answer = await api.post("/connections/close", body)
    assert [{"pointer": "/reason", "detail": "at most 123 bytes fit into a close frame"}] == answer.json()["errors"]
    assert 422 == (await api.post("/connections/close", {})).status_code


async def test_one_page_is_updated(server: Running, api: ApiClient) -> None:
    async with server.socket() as one, server.socket() as other:
        update = {"target": "#status", "html": "<p>Ready</p>"}
        answer = await api.post(f"/connections/{one.id}/updates", update)
        await api.broadcast("marker")
        assert (202, 1, 1) == (answer.status_code, answer.json()["matched"], answer.json()["queued"])
        assert "<p>Ready</p>" == (await one.next())["html"]
        await other.hears_nothing_but("marker")


async def test_a_dead_connection_cannot_be_updated(api: ApiClient) -> None:
    answer = await api.post("/connections/01/updates", {"target": "#status", "html": "x"})
    assert (404, "no connection of this id is open") == (answer.status_code, answer.json()["detail"])


async def test_a_cursor_of_another_list_is_refused(api: ApiClient) -> None:
    assert "?cursor" == (await api.get("/connections?cursor=%FF")).json()["errors"][0]["pointer"]
