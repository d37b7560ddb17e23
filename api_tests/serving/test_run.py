"""The listening socket, the process, and TLS, where frames cannot go straight to the kernel."""

import asyncio
import gc
import resource
import shutil
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from api_tests.missing import missing
from api_tests.server import run_server
from api_tests.serving.raw import Ear, RawPeer, detaching, frame, request, serving
from api_tests.waiting import MS, SOON_S, eventually
from app import wsx
from app.hub import writing
from app.serving import run, stalls
from app.serving.run import MAX_UNSENT_BYTES, listen, make_server, take_all_descriptors, tune_garbage_collector
from app.serving.sink import CLOSE_TIMEOUT_S, GOODBYE_S
from app.serving.stalls import MAX_STALL_S, tcp_of
from app.settings import Settings
from app.wire.prepared import Prepared


def test_a_taken_address_is_an_error_and_leaves_nothing_open(settings: Settings):
    with listen(settings) as listener:
        taken = msgspec.structs.replace(settings, port=listener.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            listen(taken)  # an open socket would be a ResourceWarning, and that an error


def test_ports_are_numbered_and_ip_6_works(settings: Settings):
    with listen(msgspec.structs.replace(settings, host="::1")) as listener:
        assert (socket.AF_INET6, True) == (listener.family, listener.getsockname()[1] > 0)


def test_a_system_without_these_options_listens_all_the_same(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    monkeypatch.delattr(socket, "TCP_NOTSENT_LOWAT")
    listen(settings).close()


def test_who_turns_pings_off_by_a_long_interval_can_listen(settings: Settings):
    listen(msgspec.structs.replace(settings, ping_interval_s=1e9)).close()


def test_the_kernel_keeps_little_for_a_peer_that_reads_nothing(settings: Settings):
    if not stalls._IS_TOLD:
        missing("only Linux tells enough of its connections")
    with listen(settings) as listener, socket.create_connection(listener.getsockname()) as near:
        listener.setblocking(True)
        peer, _ = listener.accept()
        with peer:
            peer.setblocking(False)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sent = 0
            with suppress(BlockingIOError):
                while True:
                    sent += peer.send(b"x" * 357)
            tcp = tcp_of(peer)
        assert tcp is not None
        assert 0 < tcp.unsent_bytes < 2 * MAX_UNSENT_BYTES
        assert sent < 100 * MAX_UNSENT_BYTES


def test_the_kernel_has_more_patience_with_pages_that_sleep_than_we_have(settings: Settings):
    patient = msgspec.structs.replace(settings, ping_interval_s=300.0)
    noticed_s = patient.ping_interval_s + patient.ping_timeout_s
    closed_s = MAX_STALL_S + patient.ping_interval_s + patient.ping_timeout_s
    gone_s = GOODBYE_S + 2 * CLOSE_TIMEOUT_S
    with listen(patient) as listener:
        assert noticed_s + closed_s + gone_s <= listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1_000


def test_a_connection_is_kept_for_longer_than_by_those_who_call(settings: Settings):
    nginx_s, httpx_s = 60, httpx.Limits().keepalive_expiry
    assert make_server(None, settings).config.timeout_keep_alive > max(nginx_s, httpx_s)


def test_as_many_may_connect_as_the_system_grants():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1_000), hard))
        take_all_descriptors()
        assert (hard, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_lives_for_ever_is_never_walked_again():
    thresholds = gc.get_threshold()
    gc.set_threshold(700)
    try:
        tune_garbage_collector()
        assert gc.get_freeze_count() > 10_000
        young, middle, old = gc.get_threshold()
        assert young > 700
        assert young * middle <= 20_000, "each object that is walked holds the loop"
        assert young * middle * old >= 2_000_000, "all sockets would be walked again and again"
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


async def test_what_is_said_while_draining_reaches_open_sockets_and_a_drain_that_fails_stops_nothing(
    settings: Settings, logged: Callable[[], str]
):
    async with run_server(settings) as server, server.socket() as page:
        server.uvicorn._drain = lambda: wsx.broadcast("#a", "goodbye")
        server.uvicorn.should_exit = True
        assert "goodbye" == (await page.next())["html"]
        assert 1012 == (await page.closed())[0]

    async def fail() -> None:
        raise RuntimeError("clogged")

    async with run_server(settings) as server, server.socket() as page:
        server.uvicorn._drain = fail
        server.uvicorn.should_exit = True
        assert 1012 == (await page.closed())[0]
    assert "clogged" in logged()


async def test_last_words_that_take_many_turns_reach_all(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wsx, "_queues", [])
    monkeypatch.setattr(writing, "MAX_HOLD_S", 0.0)
    async with run_server(settings) as server, AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(server.socket()) for _ in range(4 * writing.CHECK_EVERY)]
        queue = wsx.paced(name="prices", max_per_s=0.001)
        for word in ("first", "last"):
            queue.broadcast("#a", word)
        await eventually(lambda: queue.counts().sent == 1)
        server.uvicorn.should_exit = True
        for page in pages:
            assert ["first", "last"] == [(await page.next())["html"] for _ in range(2)]


async def test_who_has_connected_before_the_stop_is_answered_for_the_last_time(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "LAST_CALLS_S", SOON_S)
    ask = b"GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n"
    async with run_server(settings) as server, RawPeer(server.port) as new, RawPeer(server.port) as kept:
        kept.send(ask)
        assert b"connection: close" not in await kept.reader.readuntil(b"}")
        drained = asyncio.Event()
        server.uvicorn._drain = drained.wait
        server.uvicorn.should_exit = True
        await eventually(lambda: (b"connection", b"close") in server.uvicorn.server_state.default_headers)
        async with RawPeer(server.port) as late:
            drained.set()
            await eventually(lambda: not server.uvicorn.servers[0].is_serving())
            for peer in (new, kept, late):
                peer.send(ask)
                status, text = await peer.answer()
                assert (200, 1) == (status, text.count(b"connection: close")), text
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize("is_shared", [False, True])
def test_before_the_last_are_accepted_nobody_else_can_connect_where_the_socket_is_not_of_a_supervisor(is_shared: bool):
    with socket.socket() as listener, socket.socket() as early, socket.socket() as late:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        early.connect(listener.getsockname())
        run._let_nobody_in(listener)
        late.settimeout(100 * MS)
        with nullcontext() if is_shared else pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"asked")
            assert b"asked" == accepted.recv(9)


async def test_who_has_connected_and_asks_nothing_holds_up_no_stop(settings: Settings):
    async with run_server(settings) as server, RawPeer(server.port) as silent:
        server.uvicorn.should_exit = True
        assert b"" == await silent.ended()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        missing("openssl is missing: it makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=here", "-keyout", path, "-out", f"{path}.crt"],
        check=True,
        capture_output=True,
    )
    return path


async def test_with_tls_all_goes_through_the_transport(certificate: Path):
    ear = Ear()
    trusting = ssl.create_default_context(cafile=f"{certificate}.crt")
    trusting.check_hostname = False
    async with serving(detaching(ear), ssl_keyfile=str(certificate), ssl_certfile=f"{certificate}.crt") as server:
        peer = RawPeer(server.port)
        async with peer:
            await peer.writer.start_tls(trusting)
            peer.send(request())
            assert (await peer.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            peer.send(frame(1, b"secret"))
            await eventually(lambda: ear.heard == ["secret"])
            for _ in range(3):
                assert ear.sink.write(Prepared(b"told in secret"))
                assert b"told in secret" == (await peer.frame()).payload
            peer.send(frame(3))
            assert 1002 == (await peer.frame()).close[0]
            await eventually(lambda: ear.ends)


async def test_it_says_once_that_it_serves(settings: Settings):
    said = []
    server = make_server(answers_nothing, settings, started=lambda: said.append("serves"))
    with listen(settings) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: said)
        server.should_exit = True
        await serving
    assert ["serves"] == said


async def answers_nothing(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    assert "lifespan" == scope["type"]
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})
