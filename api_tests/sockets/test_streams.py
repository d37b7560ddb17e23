"""Server-sent events: the same updates and the same checks, for clients that only listen."""

import asyncio
import re
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.events import EventClient
from api_tests.server import Running, run_server
from api_tests.waiting import eventually
from app.hub.close import Close
from app.hub.drain import Drain
from app.hub.sweeps import close_ended
from app.settings import Settings

UPDATE = {"target": "#status", "html": "one\r\ntwo", "swap": "beforeend"}
SHOWN = {
    "wsx": None,
    "htmx": '<wsx-part hx-swap-oob="beforeend: #status">one\ntwo</wsx-part>',
    "turbo": '<turbo-stream action="append" target="status"><template>one\ntwo</template></turbo-stream>',
}
OWN = {"Sec-Fetch-Site": "same-origin"}
OTHERS = ("/ws/htmx", "/ws/turbo")


async def get(server: Running, query: str = "", **headers: str) -> httpx.Response:
    """A request that is answered at once: it is refused."""
    async with httpx.AsyncClient() as client:
        return await client.get(f"{server.url}/sse{query}", headers={name.replace("_", "-"): one for name, one in headers.items()})


async def test_a_stream_is_told_who_it_is_and_then_all_updates_with_their_places(server: Running, api: ApiClient):
    for dialect, html in SHOWN.items():
        async with server.events(query=f"?dialect={dialect}") as stream:
            head = stream.response.headers
            assert ("text/event-stream; charset=utf-8", "no") == (head["content-type"], head["x-accel-buffering"])
            assert "no-store" in head["cache-control"]
            assert 1_000 <= (stream.retry_ms or 0) < 3_000
            await api.broadcast(**UPDATE)
            told = await stream.next()
            assert ("message", server.hub.cursor()) == (told.name, told.last_id)
            if html is None:
                assert UPDATE.items() <= told.json.items()
            else:
                assert html == told.data
            shown = (await api.get(f"/connections/{stream.hello['connection']}")).json()
            assert {"wsx": "sse"}.get(dialect, f"sse+{dialect}") == shown["dialect"]


async def test_a_cookie_is_believed_of_our_own_pages_only(server: Running):
    for headers, user in (
        (OWN, "ada"),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        ({"Sec-Fetch-Site": "none"}, None),
        ({"Referer": f"{server.url}/page?x"}, "ada"),
        ({"Referer": "http://evil.example/"}, None),
        *(({"Referer": wrong}, None) for wrong in ("nothing", "http://[")),
        ({"Sec-Fetch-Site": "cross-site", "Referer": f"{server.url}/"}, None),
        ({"Origin": server.url}, "ada"),
        ({}, None),
    ):
        async with EventClient(f"{server.url}/sse", {"Cookie": f"wsx_token={server.token('ada')}", **headers}) as stream:
            connection = server.hub.registry.get(stream.hello["connection"])
            assert (headers, user) == (headers, connection.user.id if connection.user else None)
        await server.connected(0)


async def test_with_all_origins_a_page_of_any_site_reads_what_the_cookie_s_user_hears(settings: Settings):
    settings = msgspec.structs.replace(settings, allowed_origins=("*",))
    stranger = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with run_server(settings) as server, server.events("ada", headers=stranger) as stream:
        assert "https://evil.example" == stream.response.headers["access-control-allow-origin"]
        assert "ada" == server.hub.registry.get(stream.hello["connection"]).user.id


async def test_pages_of_other_origins_may_read_where_they_are_listed(settings: Settings):
    settings = msgspec.structs.replace(settings, allowed_origins=("https://shop.example",))
    async with run_server(settings) as server:
        async with server.events("ada", headers={"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}) as stream:
            head = stream.response.headers
            assert "https://shop.example" == head["access-control-allow-origin"]
            assert ("true", "origin") == (head["access-control-allow-credentials"], head["vary"])
            assert "ada" == server.hub.registry.get(stream.hello["connection"]).user.id
        refused = await get(server, Origin="https://evil.example")
        assert (403, "forbidden") == (refused.status_code, refused.json()["type"].rpartition(":")[2])


async def test_behind_a_trusted_proxy_a_page_of_https_is_our_own(settings: Settings):
    settings = msgspec.structs.replace(settings, trusted_proxies=("127.0.0.1",))
    async with run_server(settings) as server:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "Host": "site.example"}
        async with server.events("ada", headers={**forwarded, "Origin": "https://site.example"}) as stream:
            assert "192.0.2.7" == server.hub.registry.get(stream.hello["connection"]).address
        assert 403 == (await get(server, Host="site.example", Origin="https://site.example")).status_code


async def test_who_may_not_read_is_told_why(server: Running):
    bad = await get(server, Sec_Fetch_Site="same-origin", Cookie="wsx_token=bad")
    in_url, unknown = await get(server, "?token=x"), await get(server, "?dialect=morse")
    ticket = await get(server, "?ticket=used")
    assert [401, 400, 400, 401] == [answer.status_code for answer in (bad, in_url, unknown, ticket)]
    assert "wsx, htmx, turbo" in unknown.json()["detail"]
    assert 0 == len(server.hub.registry)


async def test_a_stream_is_only_read(server: Running):
    async with httpx.AsyncClient() as client:
        for method in ("POST", "HEAD", "PUT"):
            answer = await client.request(method, f"{server.url}/sse")
            assert (405, "GET") == (answer.status_code, answer.headers["allow"])


async def test_a_ticket_opens_a_stream_once(server: Running, api: ApiClient):
    ticket = (await api.post("/tickets", {"user_id": "ada"})).json()["ticket"]
    async with server.events(query=f"?ticket={ticket}") as stream:
        assert "ada" == server.hub.registry.get(stream.hello["connection"]).user.id
    assert 401 == (await get(server, f"?ticket={ticket}")).status_code


async def test_where_nobody_may_be_nobody_a_stream_needs_a_token(settings: Settings):
    async with run_server(msgspec.structs.replace(settings, allow_anonymous=False)) as server:
        assert 401 == (await get(server)).status_code
        async with server.events("ada") as stream:
            assert stream.hello["session"]


async def test_streams_and_sockets_of_a_user_are_counted_together(server: Running):
    async with server.events("ada"), server.socket("ada", path="/ws/htmx", v1=False):
        refused = await get(server, Sec_Fetch_Site="same-origin", Cookie=f"wsx_token={server.token('ada')}")
        assert (429, "urn:wsx:problem:too_many_sockets") == (refused.status_code, refused.json()["type"])


async def test_streams_and_sockets_of_an_address_are_counted_together(settings: Settings):
    rules = {"trusted_proxies": ("127.0.0.1",), "handshake_rate_per_s": 0.001, "handshake_burst": 2}
    there, elsewhere = ({"X-Forwarded-Proto": "http", "X-Forwarded-For": address} for address in ("192.0.2.7", "192.0.2.8"))
    async with (
        run_server(msgspec.structs.replace(settings, **rules)) as server,
        server.events(headers=there),
        server.socket(path="/ws/htmx", v1=False, headers=there),
    ):
        refused = await get(server, **there)
        assert (429, "urn:wsx:problem:too_many_handshakes") == (refused.status_code, refused.json()["type"])
        waits = await get(server, Accept="text/event-stream", **there)
        assert (200, "retry: ") == (waits.status_code, waits.text[:7])
        async with server.events(headers=elsewhere):
            await server.connected(3)


async def test_a_server_that_stops_tells_streams_their_slot_and_ends_them(server: Running):
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(server.events(query=f"?dialect={dialect}")) for dialect in SHOWN]
        draining = asyncio.create_task(Drain(server.hub, 0.5).run())
        slots = set()
        for stream in streams:
            (told,) = await stream.all()
            assert ("drain", stream.retry_ms) == (told.name, told.json["retry_in_ms"])
            slots.add(stream.retry_ms)
        await draining
    assert len(SHOWN) == len(slots)


async def test_event_sources_that_come_while_the_server_stops_are_sent_away_each_for_a_time_of_its_own(server: Running):
    await Drain(server.hub, 0.1).run()
    answers = [await get(server, Accept="text/event-stream") for _ in range(9)]
    assert {200} == {answer.status_code for answer in answers}
    times_ms = {int(re.fullmatch(r"retry: (\d+)\n\n", answer.text)[1]) for answer in answers}
    assert len(times_ms) > 1
    assert 1_000 <= min(times_ms) <= max(times_ms) < 11_000
    assert 503 == (await get(server)).status_code


async def test_a_stream_that_is_to_stay_away_is_told_so(server: Running, api: ApiClient):
    for dialect in SHOWN:
        async with server.events("ada", query=f"?dialect={dialect}") as stream:
            await api.delete(f"/connections/{stream.hello['connection']}")
            (told,) = await stream.all()
        assert ("close", {"code": 4409, "reason": "closed by the back office"}) == (told.name, told.json)


async def test_a_stream_whose_token_ends_is_ended(server: Running):
    token = server.token("ada", ttl_s=2)
    async with EventClient(f"{server.url}/sse", {**OWN, "Cookie": f"wsx_token={token}"}) as stream:
        await eventually(lambda: (list(close_ended(server.hub)), len(server.hub.registry) == 0)[1])
        (told,) = await stream.all()
    assert 4401 == told.json["code"]


async def test_a_stream_whose_user_is_revoked_is_ended_and_does_not_come_back(server: Running, api: ApiClient):
    async with server.events("ada") as stream:
        answer = await api.post("/users/ada/disconnect", {"reason": "left", "revoke_tokens": True})
        assert 200 == answer.status_code, answer.text
        (told,) = await stream.all()
    assert told.json["code"] >= 4400


async def test_a_page_that_goes_away_is_noticed(server: Running):
    async with server.events("ada"):
        await server.connected(1)
    await server.connected(0)


async def test_a_stream_is_closed_like_any_other_connection(server: Running):
    async with server.events() as stream:
        (connection,) = server.hub.registry
        server.hub.close(connection, Close.SLOW)
        assert [] == await stream.all()


async def test_a_stream_that_is_dropped_is_gone_at_once(server: Running):
    async with server.events() as stream:
        (connection,) = server.hub.registry
        connection.outbox.sink.abort()
        connection.outbox.sink.abort()
        await server.connected(0)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, StopAsyncIteration)):
            await stream.next()
