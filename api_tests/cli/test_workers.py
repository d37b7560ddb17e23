"""`wsx serve --workers`: one address, several processes."""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_tests.cli.command import Operator, Serving
from api_tests.client import ApiClient, SocketClient
from api_tests.redis_server import RedisServer
from api_tests.server import SECRET
from api_tests.waiting import eventually
from app.hub.close import Close

WORKERS = 2


@pytest.fixture
def shared(redis: RedisServer, postgresql_url: str) -> dict[str, str]:
    """What the processes have in common."""
    database = {"database_url": postgresql_url, "redis_url": redis.url, "token_secret": SECRET}
    return {**database, "workers": str(WORKERS), "log_format": "json"}


def _workers(server: Serving) -> list[int]:
    """The processes that serve, by their numbers in the system."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if int(parent) == server.process.pid and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


def _is_there(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


async def _nodes(server: Serving) -> set[str]:
    """The nodes that answer; a connection of its own for each question."""
    nodes: set[str] = set()
    while len(nodes) < WORKERS:  # the system chooses who answers
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/health/live")
        nodes = {line.partition('"node":"')[2][:8] for line in server.err.splitlines() if '"worker":' in line}
    return nodes


async def test_pages_of_all_workers_hear_the_same_and_a_stop_tells_them_all(operator: Operator, shared: dict[str, str]):
    token = operator.runs("token", "ada", **shared).out.strip()
    async with operator.serves(**shared) as server, AsyncExitStack() as stack:
        (key,) = server.keys  # once, not by each
        assert f"workers    {WORKERS}" in server.out
        api = await stack.enter_async_context(ApiClient(server.url, key))
        pages: list[SocketClient] = []
        nodes: set[str] = set()
        while len(nodes) < WORKERS:
            pages.append(await stack.enter_async_context(SocketClient(server.url.replace("http", "ws"), token=token)))
            nodes = {one["node"] for one in (await api.get("/connections")).json()["items"]}
        await api.broadcast("<p>all</p>", target="#x")
        assert ["<p>all</p>"] * len(pages) == [(await page.next_of("#x"))["html"] for page in pages]
        assert 0 == await server.end()
        assert {Close.RESTARTING.code} == {(await page.closed())[0] for page in pages}
        assert [] == [line for line in server.err.splitlines() if "Traceback" in line]


async def test_a_killed_worker_is_replaced_by_another_node(operator: Operator, shared: dict[str, str]):
    async with operator.serves(**shared) as server:
        before = await _nodes(server)
        os.kill(_workers(server)[0], signal.SIGKILL)
        await eventually(lambda: '"event":"worker died"' in server.err)
        await eventually(lambda: len(_workers(server)) == WORKERS)
        async with httpx.AsyncClient(base_url=server.url) as client:  # whoever comes to the dead one's socket waits for the next
            while len(before & (nodes := await _nodes(server))) == len(nodes):
                await client.get("/health/live")
        assert 0 == await server.end()


async def test_ctrl_c_reaches_all_processes_and_stops_each_once(operator: Operator, shared: dict[str, str]):
    async with operator.serves(**shared) as server:
        await _nodes(server)
        for process in _workers(server):
            os.kill(process, signal.SIGINT)
        assert 0 == await server.end(signal.SIGINT)
        assert server.out.endswith("stopped\n")
        assert "worker died" not in server.err


async def test_workers_do_not_outlive_their_supervisor(operator: Operator, shared: dict[str, str]):
    async with operator.serves(**shared) as server:
        await _nodes(server)
        workers = _workers(server)
        await server.end(signal.SIGKILL)
        await eventually(lambda: not any(map(_is_there, workers)))


async def test_workers_that_cannot_start_are_an_error_of_the_operators(operator: Operator, shared: dict[str, str]):
    refused = await asyncio.to_thread(operator.runs, "serve", **shared, handlers="no_such_module")
    assert (2, "", 1) == (refused.status, refused.out, refused.err.count("\n"))
    assert refused.err.startswith("wsx: WSX_HANDLERS: the module no_such_module cannot be imported")


async def test_a_folder_for_temporary_files_with_too_long_a_path_for_sockets_is_named(
    operator: Operator, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    long = operator.folder / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    refused = await asyncio.to_thread(operator.runs, "serve", **shared)
    assert (1, f"wsx: TMPDIR: {long} is too long a path for the sockets by which workers ask each other\n") == (
        refused.status,
        refused.err,
    )
    assert [] == [*long.iterdir()]


async def test_a_worker_that_is_sent_sigterm_is_renewed_and_nothing_is_called_dead(operator: Operator, shared: dict[str, str]):
    async with operator.serves(**shared) as server:
        before = await _nodes(server)
        os.kill(_workers(server)[0], signal.SIGTERM)
        await eventually(lambda: '"event":"worker stopped"' in server.err)
        await eventually(lambda: len(_workers(server)) == WORKERS)
        while not await _nodes(server) - before:
            pass
        assert 0 == await server.end()
        assert [] == [line for line in server.err.splitlines() if '"level":"error"' in line or "a node is gone" in line]


async def test_whichever_worker_is_asked_for_numbers_tells_those_of_all(operator: Operator, shared: dict[str, str]):
    async with operator.serves(**shared) as server:
        await _nodes(server)
        (key,) = server.keys
        async with ApiClient(server.url, key) as api:

            async def samples() -> dict[tuple[str, str], float]:
                answer = await api.http.get("/metrics", headers={"Connection": "close"})  # the next one comes to another worker
                families = text_string_to_metric_families(answer.text)
                return {(one.name, one.labels["worker"]): one.value for family in families for one in family.samples}

            answered: set[str] = set()
            while len(answered) < WORKERS:  # the system chooses who answers
                seen = await samples()
                assert [1.0, 1.0] == [seen["wsx_worker_up", worker] for worker in "12"]
                assert {"1", "2"} == {worker for name, worker in seen if name == "wsx_nodes"}
                lines = [json.loads(line) for line in server.err.splitlines() if '"path":"/metrics"' in line]
                answered = {line["worker"] for line in lines}
        assert 0 == await server.end()
