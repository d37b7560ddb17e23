"""A page whose user is gone is closed with 4408; what the server does to it is no sign of life, what it says is."""

import asyncio
import time
from contextlib import AsyncExitStack

import msgspec
import pytest

from api_tests.server import run_server
from api_tests.waiting import MS, eventually
from app import wsx

TIMEOUT_S = 0.4


@pytest.fixture
async def server(settings):
    """Its patience is short; it pings much more often than it looks."""
    impatient = msgspec.structs.replace(settings, idle_timeout_s=TIMEOUT_S, idle_sweep_s=0.05, ping_interval_s=0.1)
    async with run_server(impatient) as running:
        yield running


async def test_a_page_that_sends_nothing_is_closed_however_much_it_is_sent(server):
    async with server.socket("ada") as ada, server.socket() as nobody:
        began, closed = time.monotonic(), [asyncio.create_task(page.closed()) for page in (ada, nobody)]
        while not all(end.done() for end in closed):
            await wsx.broadcast("#status", "what it is sent is no activity")
            await asyncio.wait(closed, timeout=20 * MS)
        assert [(4408, "idle")] * 2 == [end.result() for end in closed]
    assert time.monotonic() - began > TIMEOUT_S
    await server.connected(0)


async def test_pings_that_a_page_answers_or_sends_are_no_activity(server):
    async with server.socket("ada") as ada:
        closed = asyncio.create_task(ada.closed())
        while not closed.done():
            await ada.raw.ping()
            await asyncio.wait({closed}, timeout=20 * MS)
        assert (4408, "idle") == closed.result()


async def test_whatever_a_page_says_is_activity(server):
    messages = {
        "active": {"type": "active"},
        "request": {"id": "1", "handler": "join-room", "data": {"roomId": "lobby"}},
        "unknown": {"handler": "no such handler"},
        "noise": ["no request"],
    }
    async with AsyncExitStack() as open_pages:
        silent = await open_pages.enter_async_context(server.socket())
        pages = {user: await open_pages.enter_async_context(server.socket(user)) for user in messages}
        closed, began = asyncio.create_task(silent.closed()), time.monotonic()
        while not closed.done() or time.monotonic() < began + 2 * TIMEOUT_S:
            for user, message in messages.items():
                await pages[user].say(message)
            next_at = time.monotonic() + TIMEOUT_S / 3
            await eventually(lambda next_at=next_at: time.monotonic() > next_at)
        assert (4408, "idle") == closed.result()
        assert set(messages) == {there.user.id for there in server.hub.registry}


@pytest.mark.parametrize("off", [{"idle_timeout_s": 0}, {"idle_sweep_s": 0}], ids=["timeout", "sweep"])
async def test_zero_turns_it_off(settings, off):
    patient = msgspec.structs.replace(settings, **{"idle_timeout_s": 0.05, "idle_sweep_s": 0.02, **off})
    async with run_server(patient) as server, server.socket() as page:
        (connection,) = server.hub.registry
        await eventually(lambda: connection.idle_s > 0.3)
        await wsx.broadcast("#status", "still here")
        await page.hears_nothing_but("still here")


async def test_a_page_that_comes_back_begins_anew(server):
    async with server.socket("ada") as ada:
        assert (4408, "idle") == await ada.closed()
    async with server.socket("ada", path="/ws?cursor=x") as ada:
        assert 1 == wsx.connection_count()
        began = time.monotonic()
        assert (4408, "idle") == await ada.closed()
    assert time.monotonic() - began > TIMEOUT_S / 2
