"""What is pushed to a page that takes nothing is not delivered; and what waits comes in messages that every client takes."""

import asyncio

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import rows
from api_tests.features.post import MARKED
from api_tests.server import run_server
from api_tests.waiting import eventually
from app.features import away

NEWS = {"user_ids": ["ada"], "title": "News"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(away, "STALLED_S", 0.02)


async def test_what_lies_in_our_memory_for_a_page_that_vanishes_is_not_lost(server, api, settings):
    async with server.socket("ada") as page:
        (connection,) = server.hub.registry.of_user("ada")
        connection.outbox.blocked = True  # as when the kernel takes no more: a phone in a tunnel
        made = (await api.post("/notifications", NEWS)).json()["items"][0]["id"]
        await asyncio.sleep(2 * away.MARK_PAUSE_S)  # long enough for a mark that is wrong
        assert connection.outbox.queued_bytes
        assert [(0,)] == rows(settings, MARKED["notifications"])
        page.raw.transport.abort()
    async with server.socket("ada") as page:
        assert made in (await page.next())["html"]
    await eventually(lambda: [(1,)] == rows(settings, MARKED["notifications"]))


async def test_what_waited_in_our_memory_counts_once_the_page_has_taken_it(server, api, settings):
    async with server.socket("ada") as page:
        (connection,) = server.hub.registry.of_user("ada")
        connection.outbox.blocked = True
        await api.post("/notifications", NEWS)
        server.hub.delivery.unblock(connection.outbox)
        assert "News" in (await page.next())["html"]
        await eventually(lambda: [(1,)] == rows(settings, MARKED["notifications"]))


async def test_much_that_waits_comes_in_many_messages_that_are_small_enough(settings):
    async with run_server(settings) as server:
        async with ApiClient(server.url, settings.admin_key) as client:
            for number in range(60):
                await client.post("/notifications", {**NEWS, "message": f"{number:03}" + "x" * 4_000})
        seen: list[str] = []
        async with server.socket("ada", max_size=150_000) as page:
            while len(seen) < 60:
                message = await page.next()
                seen += [update["html"] for update in message.get("updates", [message]) if update["target"] == "#notifications"]
        assert [f"{number:03}" for number in range(60)] == [html.split('class="message">')[1][:3] for html in seen]
    assert [(60,)] == rows(settings, MARKED["notifications"])


async def test_a_user_whose_page_takes_nothing_is_sent_nothing_until_it_does(server, api, monkeypatch):
    monkeypatch.setattr(away, "MAX_SHARE_CHARS", 1)
    for number in range(5):
        await api.post("/notifications", {**NEWS, "message": str(number)})
    come = []

    def block(connection):
        connection.outbox.blocked = True
        come.append(connection)

    server.hub.on_connection(block)
    async with server.socket("ada", v1=False) as page:
        await eventually(lambda: come)
        await asyncio.sleep(5 * away.STALLED_S)
        assert 0 == come[0].outbox.queued_bytes  # what a page does not take would close it as slow
        server.hub.delivery.unblock(come[0].outbox)
        told = [(await page.next())["html"].split('class="message">')[1][0] for _ in range(5)]
    assert [str(number) for number in range(5)] == told
