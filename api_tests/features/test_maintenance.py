"""POST /maintenance: a notice on every page, and an event for the site's own code."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.waiting import eventually
from app import wsx
from app.hub.events import Maintenance

XSS = "<img src=x onerror=alert(1)>"
NEW = {"message": "Closed for half an hour", "scheduled_time": "2026-11-24T23:30:00+01:00"}


@pytest.fixture
def told() -> Iterator[list[Maintenance]]:
    """What the site's own code is told."""
    events: list[Maintenance] = []

    async def slowly(event: Maintenance) -> None:
        events.append(event)

    wsx.events.on("system.maintenance", events.append)
    wsx.events.on("system.maintenance", slowly)
    yield events
    wsx.events.off("system.maintenance", events.append)
    wsx.events.off("system.maintenance", slowly)


async def test_a_notice_is_on_every_page(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket() as nobody:
        answer = await api.post("/maintenance", NEW)
        receipt = answer.json()
        assert (202, 2, 2) == (answer.status_code, receipt["matched"], receipt["queued"])
        assert receipt | {"incomplete": []} == (await api.get(f"/broadcasts/{receipt['id']}")).json()
        for page in (ada, nobody):
            heard = await page.next()
            assert (receipt["id"], "#system-notices", "afterbegin") == (heard["id"], heard["target"], heard["swap"])
            assert [
                '<div class="maintenance-notice">',
                "<h3>Scheduled Maintenance</h3>",
                "<p>Closed for half an hour</p>",
                '<p>Time: <time datetime="2026-11-24T22:30:00Z">24 November 2026, 22:30 UTC</time></p>',
                "</div>",
            ] == [line.strip() for line in heard["html"].splitlines()]


async def test_the_sites_own_code_is_told(api: ApiClient, told: list[Maintenance]) -> None:
    """By functions plain and async; one that fails harms neither them nor the answer."""

    @wsx.events.on("system.maintenance")
    def fails(_event: Maintenance) -> None:
        raise RuntimeError("a mistake of the site's own")

    try:
        assert 202 == (await api.post("/maintenance", NEW)).status_code
    finally:
        wsx.events.off("system.maintenance", fails)
    await eventually(lambda: len(told) == 2)
    assert [Maintenance("Closed for half an hour", datetime(2026, 11, 24, 22, 30, tzinfo=UTC))] * 2 == told


async def test_the_message_is_escaped(server: Running, api: ApiClient) -> None:
    async with server.socket() as page:
        await api.post("/maintenance", {**NEW, "message": XSS})
        html = (await page.next())["html"]
    assert "<p>&lt;img src=x onerror=alert(1)&gt;</p>" in html


@on_one_server(
    ("body", "pointer"),
    [
        ({}, "/message"),
        ({"message": "x"}, "/scheduled_time"),
        ({**NEW, "message": ""}, "/message"),
        ({**NEW, "message": 5}, "/message"),
        ({**NEW, "message": "x" * 2_001}, "/message"),
        ({**NEW, "message": "a\0"}, "/message"),
        ({**NEW, "scheduled_time": "2026-11-24T22:30:00"}, "/scheduled_time"),
        ({**NEW, "scheduled_time": "tomorrow"}, "/scheduled_time"),
        ({**NEW, "scheduled_time": 1_764_000_000}, "/scheduled_time"),
        ({**NEW, "scheduled_time": "9999-12-31T23:59:59-01:00"}, "/scheduled_time"),
        ({**NEW, "scheduled_time": "0001-01-01T00:00:00+01:00"}, "/scheduled_time"),
        ({**NEW, "urgent": True}, "/urgent"),
    ],
)
async def test_wrong_maintenance_is_refused_and_nobody_hears(
    server: Running, api: ApiClient, told: list[Maintenance], body: object, pointer: str
) -> None:
    async with server.socket() as page:
        answer = await api.post("/maintenance", body)
        assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
        await api.broadcast("for all")
        await page.hears_nothing_but("for all")
    assert [] == told


async def test_a_key_needs_the_scope(api: ApiClient) -> None:
    async with ApiClient(api.url, await api.key_with("announcements:write")) as other:
        answer = await other.post("/maintenance", NEW)
    assert (403, True) == (answer.status_code, "broadcasts:write" in answer.json()["detail"])
