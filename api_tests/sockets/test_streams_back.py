"""Streams of events that come back: what they missed, once and in order."""

from api_tests.client import ApiClient
from api_tests.events import EventClient
from api_tests.proxy import proxy_to
from api_tests.server import Running
from api_tests.waiting import eventually

DIALECTS = ("wsx", "htmx", "turbo")


async def test_a_stream_that_comes_back_hears_what_it_missed_once_and_in_order(server: Running, api: ApiClient):
    for dialect in DIALECTS:
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


async def test_a_stream_that_is_cut_within_a_publication_hears_each_part_once(server: Running, api: ApiClient):
    parts = ["<p>one</p> <p>two</p>", "<b>three</b>", "<b>four</b>"]
    further = [{"target": "#b", "html": html, "swap": "beforeend"} for html in parts[1:]]
    async with proxy_to(server.port) as proxy:
        for dialect, cut_in in (("htmx", "wsx-part id"), ("htmx", "two"), ("htmx", "three"), ("turbo", "two"), ("turbo", "three")):
            proxy.cut_behind(cut_in.encode())
            url = f"http://127.0.0.1:{proxy.port}/sse?dialect={dialect}"
            async with EventClient(url) as stream:
                await api.broadcast(parts[0], target="#a", swap="outerHTML", oob=further)
                first = await stream.all_before_the_cut()
            async with EventClient(url, {"Last-Event-ID": stream.last_id}) as back:
                await api.broadcast("the end")
                rest = await back.until("the end")
            shown = "".join(one.data for one in (*first, *rest))
            assert (back.hello["resumed"], [1] * 4) == (True, [shown.count(word) for word in ("one", "two", "three", "four")])


async def test_a_stream_that_was_new_and_lost_at_once_knows_its_place(server: Running, api: ApiClient):
    async with server.events() as stream:
        await api.broadcast("heard")
        await stream.next()
    async with server.events() as new:
        await eventually(lambda: len(server.hub.registry) == 1)
        assert "" == new.last_id  # the hello itself moves nobody
        await api.broadcast("later")
        assert stream.last_id < (await new.next()).last_id


async def test_a_stream_whose_past_is_forgotten_is_told_a_gap_that_moves_it(server: Running):
    for dialect in DIALECTS:
        async with server.events(query=f"?dialect={dialect}", headers={"Last-Event-ID": "0000"}) as back:
            told = await back.next()
            assert (False, "gap", server.hub.cursor()) == (back.hello["resumed"], told.name, told.last_id)


async def test_a_session_brings_rooms_and_notes_back(server: Running, api: ApiClient, notes: None):
    for dialect in DIALECTS:
        async with server.events("ada", query=f"?dialect={dialect}") as stream:
            (connection,) = server.hub.registry
            server.hub.registry.join(connection, "hall")
            connection.session["kept"] = "a note"
            await api.broadcast("moved")
            told = await stream.next()
        await server.connected(0)
        query, headers = f"?dialect={dialect}&session={stream.hello['session']}", {"Last-Event-ID": told.last_id}
        async with server.events("ada", query=query, headers=headers) as back:
            assert back.hello["resumed"]
            (connection,) = server.hub.registry
            assert (["hall"], {"kept": "a note"}) == (list(connection.rooms), connection.session)
        await server.connected(0)
