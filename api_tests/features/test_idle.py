"""A page whose user is gone is closed with 4408; what the server does to it is no sign of life, what it says is.

Time without a word is made, not waited for: a machine may be as slow as it likes between two words of a page.
"""

from contextlib import AsyncExitStack
from time import monotonic

import msgspec
import pytest

from api_tests.server import run_server
from api_tests.waiting import eventually
from app import wsx

TIMEOUT_S = 600.0
MOST_S = 0.9 * TIMEOUT_S
SWEEP_S = 0.02
PING_S = 0.02


@pytest.fixture
async def server(settings):
    """It pings much more often than it looks for idle pages."""
    impatient = msgspec.structs.replace(settings, idle_timeout_s=TIMEOUT_S, idle_sweep_s=SWEEP_S, ping_interval_s=PING_S)
    async with run_server(impatient) as running:
        yield running


async def sweeps_pass():
    """A few sweeps, and as many pings."""
    until = monotonic() + 5 * SWEEP_S
    await eventually(lambda: monotonic() > until)


async def test_a_page_that_sends_nothing_is_closed_however_much_it_is_sent(server):
    async with server.socket("ada") as ada, server.socket() as nobody:
        server.silent_for(MOST_S)
        await wsx.broadcast("#status", "what it is sent is no activity")
        for page in (ada, nobody):
            await page.hears_nothing_but("no activity")
        await sweeps_pass()
        assert 2 == wsx.connection_count()
        server.silent_for(TIMEOUT_S - MOST_S)
        assert [(4408, "idle")] * 2 == [await page.closed() for page in (ada, nobody)]
    await server.connected(0)


async def test_pings_that_a_page_answers_or_sends_are_no_activity(server):
    async with server.socket("ada") as ada:
        server.silent_for(MOST_S)
        await sweeps_pass()
        await (await ada.raw.ping())
        server.silent_for(TIMEOUT_S - MOST_S)
        assert (4408, "idle") == await ada.closed()


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
        server.silent_for(MOST_S)
        for user, message in messages.items():
            await pages[user].say(message)
        await eventually(lambda: {MOST_S > there.idle_s for there in server.hub.registry if there.user} == {True})
        server.silent_for(TIMEOUT_S - MOST_S)
        assert (4408, "idle") == await silent.closed()
        await sweeps_pass()
        await wsx.broadcast("#status", "still here")
        for page in pages.values():
            await page.next_of("#status")


@pytest.mark.parametrize("off", [{"idle_timeout_s": 0}, {"idle_sweep_s": 0}], ids=["timeout", "sweep"])
async def test_zero_turns_it_off(settings, off):
    patient = msgspec.structs.replace(settings, **{"idle_timeout_s": TIMEOUT_S, "idle_sweep_s": SWEEP_S, **off})
    async with run_server(patient) as server, server.socket() as page:
        server.silent_for(TIMEOUT_S)
        await sweeps_pass()
        await wsx.broadcast("#status", "still here")
        await page.hears_nothing_but("still here")


async def test_a_page_that_comes_back_begins_anew(server):
    async with server.socket("ada") as ada:
        server.silent_for(TIMEOUT_S)
        assert (4408, "idle") == await ada.closed()
    async with server.socket("ada", path="/ws?cursor=x") as ada:
        server.silent_for(MOST_S)
        await sweeps_pass()
        assert 1 == wsx.connection_count()
        server.silent_for(TIMEOUT_S - MOST_S)
        assert (4408, "idle") == await ada.closed()
