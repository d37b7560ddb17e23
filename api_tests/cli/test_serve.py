"""`wsx serve`: the first start, the next ones, the end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from select import select

import httpx
import pytest

from api_tests.cli.command import KEY
from api_tests.client import ApiClient, SocketClient
from api_tests.waiting import MS, SOON_S
from app import __version__
from app.hub.close import Close

DRAIN_S = 25
WSX = (str(Path(sys.executable).parent / "wsx"),)


async def test_the_first_start_prints_the_key_and_the_next_one_does_not(operator):
    async with operator.serves() as first:
        (key,) = first.keys
        assert f"WSX Server {__version__}" == first.out.splitlines()[0]
        assert f"{first.url}/docs" in first.out
        assert first.url.startswith("http://127.0.0.1:")
        async with ApiClient(first.url, key) as api:
            assert HTTPStatus.CREATED == (await api.post("/announcements", {"message": "x", "priority": "low"})).status_code
        assert 0 == await first.end()
        assert 1 == first.out.count("shown only this once")
    async with operator.serves() as second:
        assert (0, []) == (await second.end(), second.keys)
        assert "shown only this once" not in second.out
    listed = operator.runs("keys", "list").out
    assert "never used" not in listed  # the last use was written down at the end
    assert key not in listed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_a_stop_tells_the_pages_and_is_no_failure(operator, number):
    token = operator.runs("token", "ada").out.strip()
    async with (
        operator.serves(drain_s=str(DRAIN_S)) as server,
        SocketClient(server.url.replace("http", "ws"), token=token) as page,
        httpx.AsyncClient() as idle,
    ):
        await idle.get(f"{server.url}/health/live")  # its connection stays open
        began = time.monotonic()
        assert 0 == await server.end(number)
        assert DRAIN_S > time.monotonic() - began  # nobody waited for the idle one
        assert (Close.RESTARTING.code, Close.RESTARTING.reason) == await page.closed()
        assert "Traceback" not in server.err


async def test_the_demo_and_the_sites_own_handlers_answer_a_page(operator):
    module = "from app import wsx, Reply\n@wsx.on('like')\nasync def like(request, connection):\n    return Reply('<b>liked</b>')\n"
    (operator.folder / "site_handlers.py").write_text(module)
    async with operator.serves("--demo", "--port", "0", program=WSX, handlers="site_handlers") as server:
        assert "anybody may sign in" in server.out
        async with httpx.AsyncClient() as browser, SocketClient(server.url.replace("http", "ws")) as page:
            assert "Sign in" in (await browser.get(server.url)).text
            assert "<b>liked</b>" == (await page.ask("like"))["html"]


def test_on_a_terminal_the_log_is_for_people(operator):
    master, terminal = os.openpty()
    process = subprocess.Popen(
        (*WSX, "serve"), cwd=operator.folder, env=operator.environment(), stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    os.close(terminal)
    try:
        lines = iter(process.stdout.readline, "")
        url = next(line for line in lines if "address" in line).split()[1]
        httpx.get(f"{url}/health/live", headers={"X-Request-ID": "find-me"})
        seen = ""
        while "find-me" not in seen and select([master], [], [], SOON_S)[0]:  # lines come when they are written
            seen += os.read(master, 65_536).decode()
        assert "find-me" in seen
        assert not seen.lstrip().startswith("{")
        process.terminate()
        assert 0 == process.wait(SOON_S)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(master)


@pytest.mark.parametrize("admin_key", ["", "a key that the set-up has made before"])
def test_serving_in_this_process_ends_well(wsx, admin_key):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen = []

    def visit() -> None:
        until = time.monotonic() + SOON_S
        try:
            while not seen and time.monotonic() < until:
                try:
                    seen.append(httpx.get(f"http://127.0.0.1:{port}/health/live").status_code)
                except httpx.TransportError:
                    time.sleep(MS)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    visitor = threading.Thread(target=visit)
    visitor.start()
    outcome = wsx("serve", port=str(port), admin_key=admin_key)
    visitor.join()
    assert (0, [HTTPStatus.OK]) == (outcome.status, seen)
    assert (0 if admin_key else 1) == len(KEY.findall(outcome.out))
