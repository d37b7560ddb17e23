"""Builds the server: uvicorn with our socket layer, and the process tuned for many idle objects."""

import asyncio
import gc
import logging
import resource
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import addressof, create_string_buffer
from math import ceil
from typing import Any

import msgspec
import uvicorn

from app.kernel.clock import monotonic
from app.serving.door import Door
from app.serving.protocol import WsxProtocol
from app.serving.sink import CLOSE_TIMEOUT_S
from app.serving.stalls import MAX_STALL_S
from app.settings import Settings

BACKLOG = 4_096
"""Connections that wait to be accepted; after a restart all browsers come at once."""
MAX_UNSENT_BYTES = 65_536
"""Bytes that the kernel keeps for one peer before they can be sent. By itself it takes megabytes for one that reads nothing: the
outbox would never fill, nothing in it be replaced, no limit count them, and on waking the page would read minutes of old states."""
KEEP_ALIVE_S = 75
"""Seconds for which a connection without a request stays open. Who calls again keeps it for 5 s (httpx) to 60 s (nginx): were
ours as short, both would end it at the same time, and a call that was just begun would get no answer."""
LAST_CALLS_S = 0.25
"""Seconds in which who has connected already may still ask, once nobody else can connect: a request may be on its way, and no proxy
sends a POST again of which no answer came (RFC 9110, 9.2.2), but says 502."""
LAST_CALLS_EVERY_S = 0.02
TURNS_TO_ACCEPT = 2
"""Of the loop: in the first it accepts all who wait to be, in the second it knows them. Closing before would cut them off."""
MAX_USER_TIMEOUT_S = 2_147_483.0
"""More milliseconds than that the kernel cannot count: 24 days."""

_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER of Linux (socket(7)), which Python has no name for: a program of the Berkeley Packet Filter, for what comes."""
_RETURN = 0x06
"""The instruction of that which ends it, with how many bytes of a packet are taken."""

_log = logging.getLogger("wsx.serving")


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises OSError when the address is taken or not ours."""
    return _listen(settings, is_shared=False)


def listen_for_workers(settings: Settings, count: int) -> list[socket.socket]:
    """A listening socket for each of several processes, all at one address. Raises OSError when that is taken or not ours."""
    with listen(settings) as alone:  # shared sockets would join those of another server of ours, and nobody would be told
        settings = msgspec.structs.replace(settings, port=alone.getsockname()[1])
    return [_listen(settings, is_shared=True) for _ in range(count)]


def _listen(settings: Settings, *, is_shared: bool) -> socket.socket:
    family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1_000 * user_timeout_s(settings)))
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def user_timeout_s(settings: Settings) -> float:
    """How long the kernel keeps sending to a peer that takes nothing (RFC 5482).

    Linux counts a page that sleeps as one, though its system acknowledges. So it is more than our own patience: until the sleep is
    noticed, while it is waited for, and while the page may wake up and read why it was closed. Who acknowledges nothing is found by
    the heartbeat. A download by plain HTTP has it too.
    """
    heartbeat_s = settings.ping_interval_s + settings.ping_timeout_s
    return min(2 * (heartbeat_s + MAX_STALL_S + CLOSE_TIMEOUT_S), MAX_USER_TIMEOUT_S)


def _let_nobody_in(listener: socket.socket) -> None:
    """Who connects from now on is not heard, tries again after a second, and is refused then: no proxy takes that for an answer.

    Whoever is in the kernel's queue when the socket is closed is cut off, with what was asked. So the queue must be empty by then.
    The socket of one of several processes is left as it is: it belongs to their supervisor, and the next one accepts from it.
    """
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        return
    drop_all = create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, 0))
    with suppress(OSError):  # another system than Linux
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", 1, addressof(drop_all)))


class Server(uvicorn.Server):
    """Lets the application drain while its sockets are open: uvicorn closes them before it tells the application.

    Signals are left to whoever runs it: setting `should_exit` stops it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Callable[[], Awaitable[None]] | None,
        drain_s: float,
        is_started: Callable[[], object] | None,
    ) -> None:
        super().__init__(config)
        self._is_started = is_started
        self._drain = drain
        self._drain_s = drain_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started and self._is_started is not None:
            self._is_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop; running requests have what is left of the time. What fails is logged, and stops nothing.

        From here on each answer says that it is the last one on its connection: the next request finds another node.
        """
        until = monotonic() + self._drain_s
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        if self._drain is not None:
            try:
                await self._drain()
            except Exception:
                _log.exception("draining failed")
        await self._hear_last_calls(sockets or ())
        self.config.timeout_graceful_shutdown = max(1, ceil(until - monotonic()))
        await super().shutdown(sockets)

    async def _hear_last_calls(self, listeners: Iterable[socket.socket]) -> None:
        for listener in listeners:
            _let_nobody_in(listener)
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for _ in range(round(LAST_CALLS_S / LAST_CALLS_EVERY_S)):
            if not self.server_state.connections:
                return
            await asyncio.sleep(LAST_CALLS_EVERY_S)


def make_server(
    app: Any, settings: Settings, *, socket_layer: Any = WsxProtocol, started: Callable[[], object] | None = None
) -> uvicorn.Server:
    """The server, not yet running. `serve(sockets=[listen(settings)])` runs it.

    `app`: an ASGI application; its method `drain()`, where it has one, is awaited while its sockets are still open.
    `socket_layer`: what uvicorn takes for `ws=`; with another one than ours everything works, slower.
    `started`: called once it serves.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Door if socket_layer is WsxProtocol else "httptools",
        ws=socket_layer,
        ws_max_size=settings.max_message_bytes,
        ws_ping_interval=settings.ping_interval_s,
        ws_ping_timeout=settings.ping_timeout_s,
        ws_per_message_deflate=settings.compression == "shared",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return Server(config, getattr(app, "drain", None), settings.drain_s, started)


def take_all_descriptors() -> None:
    """Call before anything is opened: this process, and those that it starts, may open as many files as the system grants.

    By itself it has a soft limit, of 1,024 on most systems: a thousand who connect and say nothing would keep everybody else out.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS grants what it then does not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tune_garbage_collector() -> None:
    """Call once the application is built.

    Idle sockets live long, and the oldest generation would walk all of them again and again: that was 40 % of the cost of a
    connect. What exists now lives as long as the process: frozen, it is never walked. Each collection holds the loop, for 0.5 µs an
    object that it walks and up to 2 for one that it frees: so the young are collected 2,000 at a time, those that survive 20,000 at
    a time, and the oldest seldom.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 100)
