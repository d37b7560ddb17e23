"""The nginx and systemd files of the docs, as they are printed there: a real nginx before two nodes."""

import asyncio
import getpass
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.cluster.processes import Process, token_of, two_processes
from api_tests.events import EventClient
from api_tests.missing import missing
from api_tests.postgresql_server import run_postgres
from api_tests.redis_server import RedisServer
from api_tests.server import ADMIN_KEY, run_server
from api_tests.waiting import eventually
from app.settings import Settings

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
PAGES = 12
_AROUND = """
daemon off;
user {user};
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
async def _nginx(folder: Path, urls: Sequence[str], *, read_timeout: str = "60s", of_site: str = "") -> AsyncIterator[str]:
    """Its address. Only the ports, and for how long it waits, differ from what the docs print.

    `of_site`: what stands in place of the location that is all of the server.
    """
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        missing("nginx: on Debian, apt install nginx-light")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = (DEPLOY / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    assert "proxy_read_timeout 60s;" in ours
    ours = ours.replace("proxy_read_timeout 60s;", f"proxy_read_timeout {read_timeout};")
    for printed, url in zip(("127.0.0.1:8001", "127.0.0.1:8002"), urls, strict=True):
        assert printed in ours
        ours = ours.replace(printed, url.removeprefix("http://"))
    if of_site:
        ours, count = re.subn(r" *location / \{[^}]*\}\n", lambda _: of_site, ours)
        assert 1 == count
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, ours=ours, user=getpass.getuser()))
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
        url = await stack.enter_async_context(_nginx(tmp_path, [node.serving.url for node in nodes]))
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
        to_nobody = {"audience": {"kind": "users", "ids": ["nobody"]}, "target": "#x", "html": "x"}
        while nodes[0].serving.process.returncode is None:  # while it stops, and when it is gone; no proxy asks twice by POST
            assert HTTPStatus.ACCEPTED == (await api.post("/broadcasts", to_nobody)).status_code
        back = [await page(cursor=cursors[one], session=one.hello["session"]) for one in leaving]
        assert {True} == {one.hello["resumed"] for one in back}
        assert ["<p>meanwhile</p>"] * PAGES == [(await one.next_of("#x"))["html"] for one in (*staying, *back)]


async def test_a_site_and_the_server_at_one_host_name(tmp_path: Path, settings: Settings):
    site = tmp_path / "site"
    site.mkdir()
    (site / "shop.html").write_text("<h1>The shop</h1>")
    (printed,) = re.findall(r"```nginx\n(.*?)```", (DEPLOY.parent / "operations.md").read_text(), re.DOTALL)
    assert "/srv/site" in printed
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(run_server(settings))
        of_site = printed.replace("/srv/site", str(site))
        url = await stack.enter_async_context(_nginx(tmp_path, [server.url] * 2, of_site=of_site))
        browser = await stack.enter_async_context(httpx.AsyncClient(base_url=url))
        for path, status in (
            ("/shop.html", 200),
            ("/wsx.js", 200),
            ("/docs", 200),
            ("/console/sign-in", 200),
            ("/api/v1/rooms", 401),
        ):
            assert status == (await browser.get(path)).status_code, path
        assert "The shop" in (await browser.get("/shop.html")).text
        assert 404 == (await browser.get("/wsx-else")).status_code  # of nginx: it is the site's
        cookie = {"Cookie": f"wsx_token={server.token('ada')}", "Origin": url}
        ada = await stack.enter_async_context(SocketClient(url.replace("http", "ws"), headers=cookie))
        stream = await stack.enter_async_context(EventClient(f"{url}/sse", cookie))
        api = await stack.enter_async_context(ApiClient(url, ADMIN_KEY))
        await server.connected(2)
        assert 2 == (await api.broadcast("<p>here</p>", target="#x", audience={"kind": "users", "ids": ["ada"]}))["matched"]
        assert "<p>here</p>" == (await ada.next_of("#x"))["html"]
        assert "<p>here</p>" in (await stream.next_of("#x")).data


async def test_streams_are_not_held_back_live_while_silent_and_find_the_node_that_stays(tmp_path: Path, redis: RedisServer):
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(two_processes(tmp_path, redis.url, drain_s="3", ping_interval_s="0.2"))
        url = await stack.enter_async_context(_nginx(tmp_path, [node.serving.url for node in nodes], read_timeout="1s"))
        api = await stack.enter_async_context(ApiClient(url, ADMIN_KEY))

        async def stream(**headers: str) -> EventClient:
            return await stack.enter_async_context(EventClient(f"{url}/sse", headers))

        streams = [await stream() for _ in range(4)]
        heard = [asyncio.ensure_future(one.next_of("before")) for one in streams]
        await eventually(lambda: min(one.comments for one in streams) > 6)  # for longer than nginx waits
        await api.broadcast("<p>before</p>", target="#x")
        await asyncio.gather(*heard)

        there = await nodes[0].connections(f"node={nodes[0].name}")
        leaving = [one for one in streams if one.hello["connection"] in there]
        assert len(streams) / 2 == len(leaving)
        assert await _is_ready(nodes[0])  # who is asked gives a moment, when it stops, in which it takes nobody
        nodes[0].serving.process.send_signal(signal.SIGTERM)
        while await _is_ready(nodes[0]):
            pass
        new = [(await stream()).hello["connection"] for _ in range(4)]
        assert {*new} <= {*await nodes[1].connections(f"node={nodes[1].name}")}
        assert [["drain"]] * len(leaving) == [[event.name for event in await one.all()] for one in leaving]
        await api.broadcast("<p>meanwhile</p>", target="#x")
        back = [await stream(**{"Last-Event-ID": one.last_id}) for one in leaving]
        assert {True} == {one.hello["resumed"] for one in back}
        for one in back:
            assert "meanwhile" in (await one.next()).data

        await asyncio.gather(*(_stopped(node) for node in nodes))
        async with httpx.AsyncClient(base_url=url) as client:
            asked = [await client.get("/sse", headers={"Origin": "https://shop.example"}) for _ in range(9)]
            assert HTTPStatus.BAD_GATEWAY == (await client.get("/health/live")).status_code
        assert {HTTPStatus.OK} == {one.status_code for one in asked}
        assert len({one.text for one in asked}) > 1
        assert all(re.fullmatch(r"retry: [2-6]000\n\n", one.text) for one in asked)
        assert {("text/event-stream", "https://shop.example")} == {
            (one.headers["content-type"], one.headers["access-control-allow-origin"]) for one in asked
        }


async def _is_ready(node: Process) -> bool:
    return HTTPStatus.OK == (await node.api.http.get("/health/ready")).status_code


async def _stopped(node: Process) -> None:
    if node.serving.process.returncode is None:
        node.serving.process.send_signal(signal.SIGTERM)
    await node.serving.process.wait()


async def test_a_database_that_is_away_keeps_no_page_out(tmp_path: Path, redis: RedisServer):
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(run_postgres())
        database_url = stack.enter_context(postgres.migrated())
        nodes = await stack.enter_async_context(two_processes(tmp_path, redis.url, database_url=database_url))
        url = await stack.enter_async_context(_nginx(tmp_path, [node.serving.url for node in nodes]))
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
