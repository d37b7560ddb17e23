"""Server-sent events: the same updates and the same checks, for clients that only listen."""

import asyncio
import json

import httpx
import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.events import EventClient
from api_tests.server import Running, run_server
from api_tests.waiting import eventually
from app.hub.close import Close
from app.hub.drain import Drain
from app.hub.sweeps import close_ended, close_idle
from app.settings import Settings

UPDATE = {"target": "#status", "html": "one\r\ntwo", "swap": "beforeend"}
SHOWN = {
    "wsx": None,
    "htmx": '<wsx-part hx-swap-oob="beforeend: #status">one\ntwo</wsx-part>',
    "turbo": '<turbo-stream action="append" target="status"><template>one\ntwo</template></turbo-stream>',
}
OWN = {"Sec-Fetch-Site": "same-origin"}


async def get(server: Running, query: str = "", **headers: str) -> httpx.Response:
    """A request that is answered at once: it is refused."""
    async with httpx.AsyncClient() as client:
        return await client.get(f"{server.url}/sse{query}", headers={name.replace("_", "-"): one for name, one in headers.items()})


@pytest.mark.parametrize("dialect", SHOWN)
async def test_a_stream_is_told_who_it_is_and_then_all_updates_with_their_places(server: Running, api: ApiClient, dialect: str):
    async with server.events(query=f"?dialect={dialect}") as stream:
        head = stream.response.headers
        assert ("text/event-stream; charset=utf-8", "no") == (head["content-type"], head["x-accel-buffering"])
        assert "no-store" in head["cache-control"]
        assert 1_000 <= (stream.retry_ms or 0) < 3_000
        await api.broadcast(**UPDATE)
        told = await stream.next()
        assert ("message", server.hub.cursor()) == (told.name, told.last_id)
        if dialect == "wsx":
            assert UPDATE.items() <= told.json.items()
        else:
            assert SHOWN[dialect] == told.data
        shown = (await api.get(f"/connections/{stream.hello['connection']}")).json()
        assert {"wsx": "sse"}.get(dialect, f"sse+{dialect}") == shown["dialect"]


@pytest.mark.parametrize("dialect", SHOWN)
async def test_a_stream_that_comes_back_hears_what_it_missed_once_and_in_order(server: Running, api: ApiClient, dialect: str):
    async with server.events("ada", query=f"?dialect={dialect}") as stream:
        await api.broadcast("heard")
        last_id = (await stream.next()).last_id
    await server.connected(0)
    for html in ("first", "second"):
        await api.broadcast(html, swap="beforeend")
    async with server.events("ada", query=f"?dialect={dialect}", headers={"Last-Event-ID": last_id}) as back:
        assert back.hello["resumed"]
        await api.broadcast("third", swap="beforeend")
        told = [await back.next_of("status") for _ in range(3)]
    assert [True] * 3 == [html in one.data for html, one in zip(("first", "second", "third"), told, strict=True)]


async def test_a_stream_that_was_new_and_lost_at_once_knows_its_place(server: Running, api: ApiClient):
    async with server.events() as stream:
        await api.broadcast("heard")
        await stream.next()
    async with server.events() as new:
        await eventually(lambda: len(server.hub.registry) == 1)
        assert "" == new.last_id  # the hello itself moves nobody
        await api.broadcast("later")
        assert stream.last_id < (await new.next()).last_id


@pytest.mark.parametrize("dialect", SHOWN)
async def test_a_stream_whose_past_is_forgotten_is_told_a_gap_that_moves_it(server: Running, dialect: str):
    async with server.events(query=f"?dialect={dialect}", headers={"Last-Event-ID": "0000"}) as back:
        told = await back.next()
        assert (False, "gap", server.hub.cursor()) == (back.hello["resumed"], told.name, told.last_id)


async def test_a_session_brings_rooms_and_notes_back(server: Running, api: ApiClient, notes: None):
    async with server.events("ada") as stream:
        (connection,) = server.hub.registry
        server.hub.registry.join(connection, "hall")
        connection.session["kept"] = "a note"
        await api.broadcast("moved")
        told = await stream.next()
    await server.connected(0)
    query, headers = f"?session={stream.hello['session']}", {"Last-Event-ID": told.last_id}
    async with server.events("ada", query=query, headers=headers) as back:
        assert back.hello["resumed"]
        (connection,) = server.hub.registry
        assert (["hall"], {"kept": "a note"}) == (list(connection.rooms), connection.session)


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (OWN, "ada"),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        ({"Sec-Fetch-Site": "none"}, None),
        ({"Referer": "URL/page?x"}, "ada"),
        ({"Referer": "http://evil.example/"}, None),
        *(({"Referer": wrong}, None) for wrong in ("nothing", "http://[")),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "URL/"}, None),
        ({"Origin": "URL"}, "ada"),
        ({}, None),
    ],
)
async def test_a_cookie_is_believed_of_our_own_pages_only(server: Running, headers: dict[str, str], user: str | None):
    said = {name: value.replace("URL", server.url) for name, value in headers.items()}
    async with EventClient(f"{server.url}/sse", {"Cookie": f"wsx_token={server.token('ada')}", **said}) as stream:
        connection = server.hub.registry.get(stream.hello["connection"])
        assert user == (connection.user.id if connection.user else None)


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


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_a_stream_is_only_read(server: Running, method: str):
    async with httpx.AsyncClient() as client:
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


@pytest.mark.parametrize("dialect", SHOWN)
async def test_a_server_that_stops_tells_streams_their_slot_and_ends_them(server: Running, dialect: str):
    async with server.events(query=f"?dialect={dialect}") as stream:
        draining = asyncio.create_task(Drain(server.hub, 0.5).run())
        told = await stream.all()
        await draining
    assert ["drain"] == [one.name for one in told]
    assert told[0].json["retry_in_ms"] == stream.retry_ms


async def test_an_event_source_that_comes_while_the_server_stops_is_sent_away_for_a_moment(server: Running):
    await Drain(server.hub, 0.1).run()
    answer = await get(server, Accept="text/event-stream")
    assert (200, "retry: 2000\n\n") == (answer.status_code, answer.text)
    assert 503 == (await get(server)).status_code


@pytest.mark.parametrize("dialect", SHOWN)
async def test_a_stream_that_is_to_stay_away_is_told_so(server: Running, api: ApiClient, dialect: str):
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


async def test_who_cannot_say_that_somebody_is_there_is_not_idle(server: Running):
    async with (
        server.events(),
        server.socket(path="/ws/htmx", v1=False),
        server.socket(path="/ws/turbo", v1=False),
        server.socket(),
    ):
        server.silent_for(4_000)
        list(close_idle(server.hub, 1_800))
        assert {"sse", "htmx", "turbo"} == {connection.dialect.name for connection in server.hub.registry}


async def test_a_page_that_goes_away_is_noticed(server: Running):
    async with server.events("ada"):
        await server.connected(1)
    await server.connected(0)


@pytest.mark.parametrize("path", ["/ws/htmx", "/ws/turbo"])
async def test_a_socket_of_another_client_passes_the_same_checks(server: Running, path: str):
    cookie = {"Cookie": f"wsx_token={server.token('ada')}"}
    async with (
        server.socket(path=path, v1=False, headers=cookie),
        server.socket(path=path, v1=False, origin=server.url, headers=cookie),
    ):
        await server.connected(2)
        assert [None, "ada"] == [one.user and one.user.id for one in server.hub.registry]
    for refused in ({"origin": "https://evil.example"}, {"headers": {"Cookie": "wsx_token=bad"}, "origin": server.url}):
        with pytest.raises(Exception, match=r"40[13]"):
            async with server.socket(path=path, v1=False, **refused):
                pass


@pytest.mark.parametrize("path", ["/ws/htmx", "/ws/turbo"])
async def test_where_nobody_may_be_nobody_other_clients_say_who_they_are_first(settings: Settings, path: str):
    async with (
        run_server(msgspec.structs.replace(settings, allow_anonymous=False)) as server,
        server.socket(path=path, v1=False) as page,
    ):
        who = {"token": server.token("ada")}
        form = {"wx-send": "authenticate", **who, "HEADERS": {}}
        await page.say(form if path == "/ws/htmx" else {"handler": "authenticate", "data": who})
        await eventually(lambda: server.hub.registry.is_connected("ada"))


@pytest.mark.parametrize("path", ["/ws/morse", "/ws/htmx/", "/wsx"])
async def test_other_addresses_are_no_sockets(server: Running, path: str):
    with pytest.raises(Exception, match="404"):
        async with server.socket(path=path, v1=False):
            pass


@pytest.mark.parametrize("path", ["/ws/htmx", "/ws/turbo"])
async def test_sockets_opened_as_pages_say_what_they_are(server: Running, path: str):
    async with httpx.AsyncClient() as client:
        assert 426 == (await client.get(f"{server.url}{path}")).status_code


async def test_what_cannot_be_read_is_answered_to_a_page_of_htmx(server: Running):
    async with server.socket(path="/ws/htmx", v1=False) as page:
        for text in ("[]", "{", json.dumps({"wx-send": 1}), "[" * 2_000):
            await page.raw.send(text)
        await page.say({"wx-send": "nothing", "wx-target": "#a"})
        assert "does not exist here" in await page.raw.recv()


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
