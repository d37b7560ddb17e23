"""Pages that read nothing, beside one that reads: what they cost is bounded, and only they pay."""

import msgspec

from api_tests.client import ApiClient
from api_tests.server import run_server
from api_tests.waiting import eventually

TOTAL_BYTES = 1_000_000
HTML = "x" * 100_000
"""Fills a socket only where it is not compressed."""


async def held_bytes(api: ApiClient) -> float:
    text = (await api.http.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith("wsx_outbox_held_bytes ")).split()[1])


async def test_pages_that_read_nothing_are_closed_before_they_hold_more_than_the_total(settings):
    bounded = msgspec.structs.replace(settings, outbox_bytes=10_000_000, outbox_total_bytes=TOTAL_BYTES)
    async with (
        run_server(bounded) as server,
        ApiClient(server.url, settings.admin_key) as api,
        server.socket() as fast,
        server.socket(compression=None) as slow,
        server.socket(compression=None) as slower,
    ):
        await server.connected(3)
        for page in (slow, slower):
            page.raw.transport.pause_reading()
        sent, seen = 0, []
        while (await api.get("/connections/count")).json()["connections"] > 1:
            await api.broadcast(HTML + str(sent), swap="beforeend")
            sent += 1
            assert (await fast.next())["html"].endswith(f"x{sent - 1}")
            seen.append(await held_bytes(api))
            assert sent < 500
        assert 0 < max(seen) <= TOTAL_BYTES
        for page in (slow, slower):
            page.raw.transport.abort()
        await eventually(lambda: server.hub.delivery.held_bytes == 0)


async def test_a_page_that_wakes_up_is_shown_the_newest_state_of_each_target(settings):
    async with (
        run_server(settings) as server,
        ApiClient(server.url, settings.admin_key) as api,
        server.socket(compression=None) as page,
    ):
        await server.connected(1)
        (connection,) = server.hub.registry
        page.raw.transport.pause_reading()
        number = 0
        while not connection.outbox.blocked:
            await api.broadcast(f"{number:06}" + HTML, target="#a")
            number += 1
        for _ in range(200):
            await api.broadcast(f"{number:06}" + HTML, target=f"#{number % 2}")
            number += 1
        assert connection.outbox.queued_bytes < 3 * len(HTML)
        page.raw.transport.resume_reading()
        shown: dict[str, str] = {}
        while len(shown) < 3 or max(shown.values()) < f"{number - 1:06}":
            message = await page.next()
            shown[message["target"]] = message["html"][:6]
        assert [f"{number - 2:06}", f"{number - 1:06}"] == sorted(shown.values())[1:]
