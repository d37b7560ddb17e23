"""The console in a cluster: signed in on one node is signed in on all, and so is signed out."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_tests.cluster.processes import Process, two_processes
from api_tests.features.operator import Operator, shown
from api_tests.redis_server import RedisServer
from app.features.console import gate

CLOSED_WITHIN_S = 1.0
SLACK_S = 1.0
"""For a machine that is busy with other tests."""


@pytest.fixture
async def nodes(redis: RedisServer, tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_processes(tmp_path, redis.url) as both:
        yield both


async def test_who_is_out_on_one_node_is_out_on_all_within_a_second(nodes: list[Process]):
    a, b = nodes
    for ends in ("the key", "the session"):
        key = await a.api.key_with("connections:read")
        async with Operator(a.serving, key) as here, Operator(b.serving, None) as there:
            there.http.cookies.set(gate.COOKIE, here.http.cookies[gate.COOKIE], path="/console")
            assert 200 == (await there.see("/connections")).status_code
            async with here.socket() as window, there.socket() as window_there:
                await window_there.ask("watch", {"page": "connections"})
                await shown(window_there, "Nobody is here")
                began = time.monotonic()
                if ends == "the key":
                    await a.api.delete(f"/api-keys/{key.split('_')[1]}")
                else:
                    await here.post("/sign-out")
                assert [4401, 4401] == [(await one.closed())[0] for one in (window, window_there)], ends
                assert time.monotonic() - began < CLOSED_WITHIN_S + SLACK_S
                assert 303 == (await there.see("/connections")).status_code


async def test_lists_and_counts_are_of_all_nodes_and_the_charts_name_theirs(nodes: list[Process]):
    a, b = nodes
    async with a.socket("ada") as ada, b.socket("bob") as bob, Operator(b.serving) as operator, operator.socket() as window:
        listed = (await operator.see("/connections")).text
        for word in (ada.id, bob.id, a.name, b.name, "2 connections of 2 users"):
            assert word in listed, word
        await window.ask("watch", {"page": "overview"})
        html = await shown(window, "<polyline")
        both = ", ".join(f"<code>{name}</code>" for name in sorted((a.name, b.name)))
        assert f"On all nodes: {both}." in html
        assert f"of the node that serves this page: <code>{b.name}</code>" in html
        await operator.see("/connection", id=ada.id)
        await operator.post("/connection/close", id=ada.id)
        assert 4409 == (await ada.closed())[0]
