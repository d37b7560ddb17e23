"""How a server is stopped: readiness fails first, whoever is there cannot make it last, and a second signal kills."""

import asyncio
import os
import re
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import httpx
import pytest

from api_tests.cli.command import Operator
from api_tests.client import ApiClient, SocketClient
from api_tests.cluster.processes import token_of
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import MS, SOON_S, eventually
from app.cli import signals
from app.cli.signals import OVERTIME_S, stopped_by_signals

DRAIN_S = 2.0
SLOW = """
import asyncio
from app import wsx, Reply

@wsx.on("slow")
async def slow(request, connection):
    await asyncio.sleep(request.data["seconds"])
    return Reply("done")
"""
REQUEST = b"POST /api/v1/broadcasts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n{"


@asynccontextmanager
async def plain_pages(url: str, count: int) -> AsyncIterator[None]:
    """Pages that can be told no slot: their goodbyes take so many hundredths of a second."""
    pages = [SocketClient(url.replace("http", "ws"), v1=False) for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(page.__aenter__())
    yield
    for page in pages:
        await page.__aexit__()


async def test_while_it_drains_it_is_not_ready_takes_no_sockets_and_answers_what_is_asked(operator: Operator):
    async with (
        operator.serves(drain_s="15", admin_key=ADMIN_KEY) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        httpx.AsyncClient(base_url=server.url) as balancer,
        plain_pages(server.url, 300),
    ):
        assert HTTPStatus.OK == (await balancer.get("/health/ready")).status_code
        server.process.send_signal(signal.SIGTERM)
        await eventually(lambda: "closing pages" in server.err)
        ready = await balancer.get("/health/ready")
        assert (503, {"status": "draining", "parts": {}}) == (ready.status_code, ready.json())
        assert HTTPStatus.OK == (await balancer.get("/health/live")).status_code
        assert (await api.broadcast("x"))["id"]
        refused = await balancer.get(
            "/ws",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )
        assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
        assert "urn:wsx:problem:draining" == refused.json()["type"]
        async with asyncio.timeout(SOON_S):
            assert 0 == await server.process.wait()


async def test_a_quiet_node_says_that_it_stops_before_it_ceases_to_listen(operator: Operator):
    async with (
        operator.serves(drain_s="15") as server,
        SocketClient(server.url.replace("http", "ws")) as page,
        httpx.AsyncClient(base_url=server.url, headers={"Connection": "close"}) as balancer,
    ):
        seen = [(await balancer.get("/health/ready")).status_code]
        server.process.send_signal(signal.SIGTERM)
        with suppress(httpx.TransportError):
            while True:
                seen.append((await balancer.get("/health/ready")).status_code)
        assert {200, 503} == set(seen)
        assert "drain" == (await page.next())["type"]
        assert 0 == await server.process.wait()


async def test_a_page_is_told_its_slot_and_what_it_has_asked_for_is_done(operator: Operator):
    (operator.folder / "slow.py").write_text(SLOW)
    async with operator.serves(drain_s="15", handlers="slow") as server, SocketClient(server.url.replace("http", "ws")) as page:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        told = await page.next()
        assert ("drain", 1000) == (told["type"], told["retry_in_ms"])
        assert (1012, "restarting") == await page.closed()
        assert 0 == await server.process.wait()
        assert time.monotonic() - began < 15 + OVERTIME_S


@pytest.mark.parametrize("stubborn", ["sends half a request", "takes nothing", "waits for a slow handler"])
async def test_nobody_can_make_it_last_longer_than_the_drain_time_and_5_s(operator: Operator, stubborn: str):
    (operator.folder / "slow.py").write_text(SLOW)
    async with operator.serves(drain_s=str(DRAIN_S), handlers="slow", admin_key=ADMIN_KEY) as server:
        page = SocketClient(server.url.replace("http", "ws"))
        async with page, ApiClient(server.url, ADMIN_KEY) as api:
            host, port = re.search(r"//(.*):(\d+)", server.url).groups()
            with socket.create_connection((host, int(port))) as peer:
                if stubborn == "sends half a request":
                    peer.sendall(REQUEST)
                elif stubborn == "takes nothing":
                    page.raw.transport.pause_reading()
                    for _ in range(20):
                        await api.broadcast("x" * 100_000)
                else:
                    await page.say({"id": "1", "handler": "slow", "data": {"seconds": 3600}})
                    await eventually(lambda: page.raw.transport.get_write_buffer_size() == 0)
                    assert (await api.get("/connections/count")).is_success
                began = time.monotonic()
                assert 0 == await server.end()
                assert time.monotonic() - began < DRAIN_S + OVERTIME_S
        assert "cut off" not in server.err


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_redis_that_stands_still_does_not_make_it_last_longer_either(operator: Operator, redis: RedisServer, is_away: bool):
    """Whatever is said to it at the end has one time together; a dashboard that is being made has no more."""
    settings = {"redis_url": redis.url, "token_secret": SECRET, "log_format": "json", "dashboard_interval_s": "0.01"}
    async with (
        operator.serves(drain_s="0", **settings) as server,
        SocketClient(server.url.replace("http", "ws"), token=token_of("ada", "admin")),
    ):
        await eventually(lambda: '"owner":"here"' in server.err)
        redis.pause()
        if is_away:
            await eventually(lambda: "the journal is away" in server.err)
        began = time.monotonic()
        assert 0 == await server.end()
        assert time.monotonic() - began < OVERTIME_S
    assert "cut off" not in server.err
    for lost in ("the lease ends by itself", "others hear later", "sessions are lost"):
        assert 1 == server.err.count(lost)


async def test_a_second_signal_kills_at_once(operator: Operator):
    async with operator.serves(drain_s="60") as server, plain_pages(server.url, 300):
        server.process.send_signal(signal.SIGTERM)
        await eventually(lambda: "closing pages" in server.err)
        assert -signal.SIGTERM == await server.end()


def test_who_does_not_stop_in_time_is_cut_off(monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]):
    """By a signal handler that the test keeps from ending this process."""
    ended: list[int] = []
    monkeypatch.setattr(signals, "OVERTIME_S", 10 * MS)
    monkeypatch.setattr(os, "_exit", ended.append)

    class Stuck:
        should_exit = False

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with stopped_by_signals(stuck := Stuck(), 10 * MS):
        threading.Timer(MS, os.kill, (os.getpid(), signal.SIGTERM)).start()
        until = time.monotonic() + SOON_S
        while not ended and time.monotonic() < until:
            time.sleep(MS)
    assert ([1], True) == (ended, stuck.should_exit)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    assert "cut off" in logged()
