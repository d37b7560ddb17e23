"""The front door: sends sockets, streams and requests their ways, names each request, and writes one log line for it."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.kernel.clock import monotonic
from app.kernel.ids import new_short_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
CountRequest = Callable[[str, str, int, float | None], None]
"""Method, route (the path with the names of its parameters; empty: there is no such), status, and seconds, if they say anything."""

_log = structlog.get_logger()
_SOUND_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""What is taken over as a request id: nothing that could break a log line or a header."""
SOCKETS: Final = "/ws"
"""Where sockets are, but for other dialects."""
_HANDSHAKES: Final = {"websocket.accept": 101}
_EVERYWHERE = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_UNLESS_SAID = {b"cache-control": b"no-store", b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'"}
"""Pages say otherwise. Whatever else a browser is made to open as one, it runs nothing of it."""


class Front:
    """An ASGI application in front of others: HTTP and lifespan go to one, WebSockets to one, streams of events to one.

    What the first puts into the scope's `state["headers"]` is in its answer, whatever that is.

    `drain()` is awaited before a server that stops closes its sockets, where the server is ours.
    """

    def __init__(
        self,
        http: Asgi,
        socket: Asgi,
        streams: Mapping[str, Asgi],
        drain: Callable[[], Awaitable[None]],
        count: CountRequest,
    ) -> None:
        """`streams`: by their paths. `count`: called with each request that was answered."""
        self._http = http
        self._socket = socket
        self._streams = streams
        self.drain = drain
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one socket, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._http(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = _request_id_of(scope)
        clear_contextvars()  # of the request before on this connection: this one's task may have been made in its context
        bind_contextvars(request_id=request_id)
        try:
            await (self._open if scope["type"] == "websocket" else self._serve)(scope, receive, send)
        finally:
            clear_contextvars()

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts all handshakes as requests for one route: their paths are the callers' to make up."""

        def send_counted(message: Message) -> Awaitable[None]:
            status = message["status"] if message["type"] == "websocket.http.response.start" else _HANDSHAKES.get(message["type"])
            if status is not None:
                self._count("GET", SOCKETS, status, None)
            return send(message)

        await self._socket(scope, receive, send_counted)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._streams.get(scope["path"])
        app = stream or self._http
        if scope["method"] == "HEAD" and stream is None:
            scope = {**scope, "method": "GET"}  # the server leaves the body out (RFC 9110, 9.3.2)
        state = scope["state"]
        added = [(b"x-request-id", state["request_id"].encode()), *_EVERYWHERE]
        status = 0

        def send_named(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message["headers"], *added, *state.get("headers", ())]
                unsaid = _UNLESS_SAID.keys() - dict(headers).keys()
                headers.extend(zip(unsaid, map(_UNLESS_SAID.__getitem__, unsaid), strict=True))  # no call of ours, in each answer
            return send(message)

        began = monotonic()
        await app(scope, receive, send_named)
        took_s = monotonic() - began
        _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=round(took_s * 1000, 2))
        if stream is None:
            self._count(scope["method"], scope.get("path_template", ""), status, took_s)
        else:
            self._count(scope["method"], scope["path"], status, None)


def _request_id_of(scope: Scope) -> str:
    """The caller's `X-Request-ID` where it is sound, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if _SOUND_ID.fullmatch(given):
                return given
    return new_short_id()
