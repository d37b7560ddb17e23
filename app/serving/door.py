"""The first reader of a TCP connection: uvicorn's `http=` class. Requests for a WebSocket go straight to it, all else to uvicorn.

uvicorn's own way to a WebSocket makes an HTTP protocol for the connection, parses the head, writes it out again as bytes, and has
these parsed once more: 35 of the 200 µs of a connect. And that protocol and its parser hold each other, so that each connect leaves
30 objects to the garbage collector. Here the head is parsed once, and nothing is made for HTTP before there is HTTP.
"""

import asyncio
import re
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from app.serving.handshake import Headers, Request
from app.serving.http import MAX_FIELDS, HttpProtocol, Unwanted, patience_for_heads
from app.serving.patience import hang_up

MAX_HEAD_BYTES = 16_384
"""A longer head is left to uvicorn. No browser has so many cookies for one site."""

_GET = b"GET "
_METHOD = re.compile(rb"[\r\n]*(?:[A-Z-]{1,16}(?: |\Z)|\Z)")
"""As a request begins: empty lines may stand before it (RFC 9112, 2.2)."""
_END = b"\r\n\r\n"
_WANTED = b"upgrade", b"websocket"


class Door(asyncio.Protocol):
    """Lives until the head of the first request is here."""

    __slots__ = ("_app_state", "_config", "_seen", "_server_state", "_transport", "_wait")

    _transport: asyncio.Transport

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: object = None) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected. uvicorn waits for its connections when it stops."""
        self._transport = cast("asyncio.Transport", transport)
        self._server_state.connections.add(self)
        self._wait = patience_for_heads(self._config).wait(self._give_up)

    def data_received(self, data: bytes) -> None:
        """Bytes came; at the end of the head it is known who is to have them. What is no GET asks for no WebSocket."""
        seen = self._seen = self._seen + data
        if _END not in seen and len(seen) <= MAX_HEAD_BYTES and _METHOD.match(seen):
            return
        if seen.startswith(_GET) and 0 <= seen.find(_END) <= MAX_HEAD_BYTES:
            request = read_request(seen)
            if request is not None:
                self._hand_over(self._config.ws_protocol_class).requested(request)
                return
        self._hand_over(HttpProtocol).data_received(seen)

    def connection_lost(self, _exc: Exception | None) -> None:
        """They left without a request."""
        self._leave()

    def shutdown(self) -> None:
        """The server stops."""
        self._transport.close()

    def _give_up(self) -> None:
        hang_up(self._transport)

    def _hand_over(self, protocol_class: Any) -> Any:
        protocol = protocol_class(self._config, self._server_state, self._app_state)
        self._leave()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        return protocol

    def _leave(self) -> None:
        self._server_state.connections.discard(self)
        self._wait.end()


def read_request(data: bytes) -> Request | None:
    """The request for a WebSocket with which these bytes begin. None: they are no such request, or not a sound one."""
    if b"websocket" not in data.lower():  # other requests are not parsed twice
        return None
    head = _Head()
    parser = HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade as upgrade:
        if head.is_for_websocket:
            return Request(parser.get_method(), head.target, parser.get_http_version(), head.headers, data[upgrade.args[0] :])
    except HttpParserError:
        pass
    return None


class _Head:
    """What the parser finds; it calls these methods by their names."""

    __slots__ = ("headers", "requests", "target")

    def __init__(self) -> None:
        self.requests = 0
        self.target = b""
        self.headers: Headers = []

    @property
    def is_for_websocket(self) -> bool:
        """Whether it is the first request, and no other protocol is wanted. Browsers write the name as it is here."""
        found = _WANTED in self.headers or any((name, value.lower()) == _WANTED for name, value in self.headers)
        return found and self.requests == 1

    def on_message_begin(self) -> None:
        self.requests += 1

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))
        if len(self.headers) > MAX_FIELDS:
            raise Unwanted
