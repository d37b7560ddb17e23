"""The nginx and systemd files of the docs, as they are printed there: a real nginx before two nodes."""

import asyncio
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.cluster.processes import Process, token_of, two_processes
from api_tests.missing import missing
from api_tests.postgresql_server import run_postgres
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY
from api_tests.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
PAGES = 12
_AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  {ours}
}}
"""


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def _nginx(folder: Path, nodes: list[Process]) -> AsyncIterator[str]:
    """Its address. Only the ports differ from what the docs print."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        missing("nginx: on Debian, apt install nginx-light")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = (DEPLOY / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for printed, node in zip(("127.0.0.1:8001", "127.0.0.1:8002"), nodes, strict=True):
        assert printed in ours
        ours = ours.replace(printed, node.serving.url.removeprefix("http://"))
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, ours=ours))
    process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        await eventually(lambda: process.returncode is not None or _accepts(port))
        assert process.returncode is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def nodes(redis: RedisServer, tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_processes(tmp_path, redis.url, drain_s="3") as both:
        yield both


async def test_pages_are_spread_hear_all_and_come_back_to_the_node_that_stays(tmp_path: Path, nodes: list[Process]):
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_nginx(tmp_path, nodes))
        api = await stack.enter_async_context(ApiClient(url, ADMIN_KEY))

        async def page(**known: str) -> SocketClient:
            path = f"/ws?{httpx.QueryParams(known)}"
            return await stack.enter_async_context(SocketClient(url.replace("http", "ws"), token=token_of("ada"), path=path))

        by_node: dict[str, list[SocketClient]] = {}
        for one in [await page() for _ in range(PAGES)]:
            by_node.setdefault((await api.get(f"/connections/{one.id}")).json()["node"], []).append(one)
        assert [PAGES // 2] * 2 == [len(pages) for pages in by_node.values()]  # the node with the fewest gets the next
        await api.broadcast("<p>before</p>", target="#x")
        cursors = {one: (await one.next_of("#x"))["cursor"] for pages in by_node.values() for one in pages}

        leaving = by_node.pop(nodes[0].name)
        (staying,) = by_node.values()
        nodes[0].serving.process.send_signal(signal.SIGTERM)
        assert ["drain"] * len(leaving) == [(await one.next())["type"] for one in leaving]
        await api.broadcast("<p>meanwhile</p>", target="#x")
        async with httpx.AsyncClient(base_url=url) as client:  # while it stops, and when it is gone
            while nodes[0].serving.process.returncode is None:
                assert HTTPStatus.OK == (await client.get("/health/live")).status_code
        back = [await page(cursor=cursors[one], session=one.hello["session"]) for one in leaving]
        assert {True} == {one.hello["resumed"] for one in back}
        assert ["<p>meanwhile</p>"] * PAGES == [(await one.next_of("#x"))["html"] for one in (*staying, *back)]


async def test_a_database_that_is_away_keeps_no_page_out(tmp_path: Path, redis: RedisServer):
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(run_postgres())
        database_url = stack.enter_context(postgres.migrated())
        nodes = await stack.enter_async_context(two_processes(tmp_path, redis.url, database_url=database_url))
        url = await stack.enter_async_context(_nginx(tmp_path, nodes))
        api = await stack.enter_async_context(ApiClient(url, ADMIN_KEY))
        await asyncio.to_thread(postgres.stop)
        for _ in range(3):
            assert HTTPStatus.SERVICE_UNAVAILABLE == (await api.get("/rooms")).status_code
        page = await stack.enter_async_context(SocketClient(url.replace("http", "ws"), token=token_of("ada")))
        await api.broadcast("<p>heard</p>", target="#x")
        assert "<p>heard</p>" == (await page.next_of("#x"))["html"]


def test_the_unit_is_one_that_systemd_can_read():
    text = (DEPLOY / "wsx@.service").read_text()
    stop_s = int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[1])
    assert stop_s > 15 + 5  # WSX_DRAIN_S by default, and what is left behind it
