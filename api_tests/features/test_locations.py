"""Places: a page says where it is, and hears what happens near it; a place goes with its connection."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient, SocketClient
from api_tests.db.beside import all_stored
from api_tests.server import Running
from api_tests.waiting import eventually

XSS = "<img src=x onerror=alert(1)>"
BERLIN = {"latitude": 52.52, "longitude": 13.405}
POTSDAM = {"latitude": 52.3989, "longitude": 13.0657}
"""26 km from Berlin."""
HAMBURG = {"latitude": 53.5511, "longitude": 9.9937}
"""255 km from Berlin."""
MUSIC = {
    "eventData": {"title": "Street music", "description": "Three bands"},
    "location": {"name": "Market square", **BERLIN},
}
NEW = {"title": "Street music", "description": "Three bands", "location": {"name": "Market square", **BERLIN}}


def told(users: int) -> str:
    return f"<div>Event broadcast to {users} nearby users</div>"


async def located(page: SocketClient, place: object) -> None:
    answer = await page.ask("set-location", place)
    assert "<div>Location set</div>" == answer["html"]


async def test_a_local_event_is_heard_by_the_near_one_only(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("bob") as bob, server.socket("cleo") as cleo, server.socket() as nobody:
        await located(ada, {"latitude": 52.5, "longitude": 13.4})
        await located(bob, HAMBURG)
        answer = await cleo.ask("local-event", MUSIC)
        assert ("#answer", told(1)) == (answer["target"], answer["html"])
        heard = await ada.next()
        assert ("#local-events", "afterbegin") == (heard["target"], heard["swap"])
        assert [
            '<div class="local-event">',
            "<h4>Street music</h4>",
            "<p>Three bands</p>",
            '<span class="location">Market square</span>',
            "</div>",
        ] == [line.strip() for line in heard["html"].splitlines()]
        await api.broadcast("for all")
        for page in (bob, cleo, nobody):
            await page.hears_nothing_but("for all")


async def test_users_are_counted_not_tabs_and_who_tells_counts_if_near(server: Running) -> None:
    async with server.socket("ada") as ada, server.socket("ada") as tab, server.socket("bob") as bob:
        for page in (ada, tab, bob):
            await located(page, BERLIN)
        assert told(2) == (await ada.ask("local-event", MUSIC))["html"]
        for page in (tab, bob):
            assert "Street music" in (await page.next())["html"]


@pytest.mark.parametrize(
    ("here", "there", "radius_km", "hears"),
    [
        ((0, 179.99), (0, -179.99), 10, True),
        ((0, -179.99), (0, 179.99), 2, False),
        ((-17, 180), (-17, -180), 0.001, True),
        ((89.99, 0), (89.99, 180), 10, True),
        ((89.99, 0), (89.9, 180), 10, False),
        ((-90, 12), (-90, -100), 0.001, True),
        ((-89.95, 30), (-89.95, -150), 12, True),
        ((0, 0), (0.08993, 0), 10, True),
        ((0, 0), (0.08994, 0), 10, False),
        ((60, 20), (60, 20.1798), 10, True),
        ((60, 20), (60, 20.1801), 10, False),
        ((52.52, 13.405), (52.52, 13.405), 0.001, True),
    ],
)
async def test_the_circle_lies_on_a_globe(
    server: Running, here: tuple[float, float], there: tuple[float, float], radius_km: float, hears: bool
) -> None:
    async with server.socket("ada") as ada, server.socket("bob", roles=("admin",)) as bob:
        await located(ada, {"latitude": there[0], "longitude": there[1]})
        location = {"name": "here", "latitude": here[0], "longitude": here[1]}
        answer = await bob.ask("local-event", {**MUSIC, "location": location, "radiusKm": radius_km})
    assert told(int(hears)) == answer["html"]


async def test_a_radius_that_is_not_given_is_ten_kilometres(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await located(ada, POTSDAM)
        assert told(0) == (await bob.ask("local-event", MUSIC))["html"]
        assert told(1) == (await bob.ask("local-event", {**MUSIC, "radiusKm": 30}))["html"]
    assert 0 == (await api.post("/local-events", NEW)).json()["matched"]


async def test_who_moves_hears_what_happens_at_the_new_place(server: Running) -> None:
    async with server.socket("ada") as ada, server.socket("bob") as bob:
        await located(ada, BERLIN)
        await located(ada, HAMBURG)
        assert told(0) == (await bob.ask("local-event", MUSIC))["html"]
        assert told(1) == (await bob.ask("local-event", {**MUSIC, "location": {"name": "Harbour", **HAMBURG}}))["html"]
        assert "Harbour" in (await ada.next())["html"]


async def test_connections_that_are_gone_leave_nothing_behind(server: Running) -> None:
    """Also one whose page left before its place was noted."""
    places = server.hub.registry._places
    async with AsyncExitStack() as stack:
        for number in range(3):
            page = await stack.enter_async_context(server.socket("ada"))
            await located(page, {"latitude": number * 10, "longitude": 0})
        assert 3 == len(places)
        await page.say({"id": "req_2", "handler": "set-location", "target": "#answer", "data": HAMBURG})
    await eventually(lambda: not len(server.hub.registry))
    await eventually(lambda: not len(places))


async def test_a_place_is_neither_stored_nor_logged(server: Running, logged: Callable[[], str]) -> None:
    async with server.socket("ada") as ada:
        await ada.ask("set-location", {"latitude": 12.3456, "longitude": -65.4321, "name": "Hideout"})
        (connection,) = server.hub.registry
        assert (12.3456, -65.4321, "Hideout") == (connection.place.latitude, connection.place.longitude, connection.place.name)
    await server.connected(0)
    assert connection.place is None
    kept = logged() + all_stored(server.settings)
    for part in ("12.3456", "65.4321", "Hideout"):
        assert part not in kept


@pytest.mark.parametrize(
    ("handler", "data", "sentence"),
    [
        ("set-location", BERLIN, "Please log in to share your location"),
        ("local-event", MUSIC, "Please log in to tell of local events"),
        ("local-event", {}, "Please log in to tell of local events"),
    ],
)
async def test_only_who_is_signed_in_has_a_place_and_tells_of_events(
    server: Running, handler: str, data: object, sentence: str
) -> None:
    async with server.socket() as page:
        answer = await page.ask(handler, data)
    assert f'<div class="error">{sentence}</div>' == answer["html"]
    assert "not_signed_in" == page.errors[0]["code"]
    assert 0 == len(server.hub.registry._places)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({}, "latitude is missing"),
        ({"latitude": 1}, "longitude is missing"),
        ({"latitude": "north", "longitude": 0}, "latitude must be a number"),
        ({"latitude": None, "longitude": 0}, "latitude must be a number"),
        ({"latitude": True, "longitude": 0}, "latitude must be a number"),
        ({"latitude": [1], "longitude": 0}, "latitude must be a number"),
        ({"latitude": "nan", "longitude": 0}, "latitude must be"),
        ({"latitude": 90.001, "longitude": 0}, "latitude must be &lt;= 90"),
        ({"latitude": 0, "longitude": -180.001}, "longitude must be &gt;= -180"),
        ({"latitude": 0, "longitude": "inf"}, "longitude must be &lt;= 180"),
        ({**BERLIN, "name": 5}, "name must be a text"),
        ({**BERLIN, "name": "x" * 201}, "name may have 200 characters at most"),
        ({**BERLIN, "name": "x" * 60_000}, "name may have 200 characters at most"),
        ({**BERLIN, "name": "a\0b"}, "name holds characters that are not allowed"),
    ],
)
async def test_a_place_that_is_none_is_refused_and_the_old_one_stays(server: Running, data: object, wrong: str) -> None:
    async with server.socket("ada") as ada:
        await located(ada, HAMBURG)
        answer = await ada.ask("set-location", data)
        assert answer["html"].startswith(f'<div class="error">This cannot be used: {wrong}')
        assert "bad_data" == ada.errors[0]["code"]
        (connection,) = server.hub.registry
        assert HAMBURG["latitude"] == connection.place.latitude


@on_one_server(
    ("data", "wrong"),
    [
        ({}, "eventData is missing"),
        ({"eventData": MUSIC["eventData"]}, "location is missing"),
        ({**MUSIC, "eventData": "music"}, "eventData must be an object"),
        ({**MUSIC, "eventData": {"description": "x"}}, "eventData.title is missing"),
        ({**MUSIC, "eventData": {"title": ""}}, "eventData.title must not be empty"),
        ({**MUSIC, "eventData": {"title": " \n"}}, "Please write something first"),
        ({**MUSIC, "eventData": {"title": "x" * 201}}, "eventData.title may have 200 characters at most"),
        ({**MUSIC, "eventData": {"title": "a\0"}}, "eventData.title holds characters"),
        ({**MUSIC, "eventData": {"title": "x", "description": 1}}, "eventData.description must be a text"),
        ({**MUSIC, "eventData": {"title": "x", "description": "x" * 2_001}}, "eventData.description may have 2000"),
        ({**MUSIC, "location": BERLIN}, "location.name is missing"),
        ({**MUSIC, "location": {"name": "x" * 201, **BERLIN}}, "location.name may have 200"),
        ({**MUSIC, "location": {"name": "x", "latitude": 91, "longitude": 0}}, "location.latitude must be"),
        ({**MUSIC, "radiusKm": 0}, "radiusKm must be &gt; 0"),
        ({**MUSIC, "radiusKm": -1}, "radiusKm must be"),
        ({**MUSIC, "radiusKm": "far"}, "radiusKm must be a number"),
        ({**MUSIC, "radiusKm": 20_017}, "radiusKm must be &lt;= 20016"),
    ],
)
async def test_an_event_that_is_none_is_refused_and_nobody_hears(server: Running, api: ApiClient, data: object, wrong: str) -> None:
    async with server.socket("ada") as ada, server.socket("bob", roles=("admin",)) as bob:
        await located(ada, BERLIN)
        answer = await bob.ask("local-event", data)
        assert wrong in answer["html"]
        await api.broadcast("for all")
        await ada.hears_nothing_but("for all")


async def test_a_stranger_reaches_100_km_and_an_admin_the_globe(server: Running) -> None:
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root:
        await located(ada, HAMBURG)
        assert told(0) == (await ada.ask("local-event", {**MUSIC, "radiusKm": 100}))["html"]
        refused = await ada.ask("local-event", {**MUSIC, "radiusKm": 100.1})
        assert '<div class="error">An event can reach 100 km at most</div>' == refused["html"]
        assert "radius_too_large" == ada.errors[0]["code"]
        assert told(1) == (await root.ask("local-event", {**MUSIC, "radiusKm": 20_016}))["html"]


async def test_a_stranger_finds_nobody_by_small_circles_and_the_back_office_may_aim(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root:
        await located(ada, BERLIN)
        refused = await ada.ask("local-event", {**MUSIC, "radiusKm": 0.999})
        assert '<div class="error">An event must reach 1 km at least</div>' == refused["html"]
        assert "radius_too_small" == ada.errors[0]["code"]
        assert told(1) == (await root.ask("local-event", {**MUSIC, "radiusKm": 0.001}))["html"]
        assert 1 == (await api.post("/local-events", {**NEW, "radius_km": 0.001})).json()["users"]


async def test_forms_send_numbers_as_text(server: Running) -> None:
    async with server.socket("ada") as ada:
        await located(ada, {"latitude": "52.52", "longitude": "13.405"})
        assert told(1) == (await ada.ask("local-event", {**MUSIC, "radiusKm": "1"}))["html"]


async def test_what_people_write_is_escaped(server: Running) -> None:
    async with server.socket("ada") as ada:
        answer = await ada.ask("set-location", {**BERLIN, "name": XSS})
        assert "<div>Location set: &lt;img src=x onerror=alert(1)&gt;</div>" == answer["html"]
        await ada.say(
            {
                "id": "req_1",
                "handler": "local-event",
                "target": "#answer",
                "data": {"eventData": {"title": XSS, "description": XSS}, "location": {"name": XSS, **BERLIN}},
            }
        )
        html = (await ada.next_of("#local-events"))["html"]
    assert XSS not in html
    assert 3 == html.count("&lt;img src=x onerror=alert(1)&gt;")


async def test_the_back_office_tells_of_an_event(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket("ada") as tab, server.socket("bob") as bob:
        for page in (ada, tab):
            await located(page, POTSDAM)
        await located(bob, HAMBURG)
        answer = await api.post("/local-events", {**NEW, "radius_km": 250})
        receipt = answer.json()
        assert (202, 2, 2, 1) == (answer.status_code, receipt["matched"], receipt["queued"], receipt["users"])
        heard = [await page.next() for page in (ada, tab)]
        assert [receipt["id"]] * 2 == [message["id"] for message in heard]
        everywhere = (await api.post("/local-events", {**NEW, "radius_km": 20_016})).json()
        assert (3, 2) == (everywhere["matched"], everywhere["users"])
        assert everywhere["id"] == (await bob.next())["id"]


@on_one_server(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({**NEW, "title": ""}, "/title"),
        ({**NEW, "title": "x" * 201}, "/title"),
        ({**NEW, "title": "a\0"}, "/title"),
        ({**NEW, "description": "x" * 2_001}, "/description"),
        ({**NEW, "location": {**BERLIN}}, "/location/name"),
        ({**NEW, "location": {"name": "x" * 201, **BERLIN}}, "/location/name"),
        ({**NEW, "location": {"name": "x", "latitude": "1", "longitude": 0}}, "/location/latitude"),
        ({**NEW, "location": {"name": "x", "latitude": 0, "longitude": 181}}, "/location/longitude"),
        ({**NEW, "location": {**NEW["location"], "height": 1}}, "/location/height"),
        ({**NEW, "radius_km": 0}, "/radius_km"),
        ({**NEW, "radius_km": 20_017}, "/radius_km"),
        ({**NEW, "radiusKm": 1}, "/radiusKm"),
    ],
)
async def test_a_wrong_event_of_the_back_office_is_refused(api: ApiClient, body: object, pointer: str) -> None:
    answer = await api.post("/local-events", body)
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_a_key_needs_the_scope(api: ApiClient) -> None:
    async with ApiClient(api.url, await api.key_with("rooms:write")) as other:
        answer = await other.post("/local-events", NEW)
    assert (403, True) == (answer.status_code, "broadcasts:write" in answer.json()["detail"])
