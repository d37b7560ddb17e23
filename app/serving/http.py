"""Plain HTTP is uvicorn's, within bounds.

By itself it waits for ever for who begins a request and does not end it, and keeps all that comes meanwhile.
"""

from http import HTTPStatus
from json import dumps
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.serving.handshake import refused
from app.serving.leaning import check_names
from app.serving.patience import Patience, Wait, hang_up
from app.serving.shared import one_per_server
from app.serving.stretches import stretches_of

HEAD_TIMEOUT_S = 10.0
"""Seconds that a peer may take for the head of a request, from its first byte on. No browser takes so long: it is somebody who
wants to use up our sockets."""
MAX_HEAD_BYTES: Final = 65_536
"""A longer head, or what stands behind a body in chunks (RFC 9112, 7.1.2), is not waited for: 431. Four times what browsers send at
most."""
MAX_FIELDS: Final = 256
"""More fields of one request, those behind its body among them, are not taken, either: ten times what browsers and proxies send.
Each costs as much as a kilobyte of one field, and a single read of the shortest ones would hold the loop for 20 ms."""
BODY_TIMEOUT_S = 60.0
"""Seconds for each `BODY_STRETCH_BYTES` of a body, and for its end: so that a body of any size is taken from who sends 4 KiB a
second, and nobody lives on by a byte a minute."""
BODY_STRETCH_BYTES: Final = 262_144
MAX_BODY_PARTS: Final = 8_192
"""Parts, of chunks and of reads, in which that much of a body may come: 32 bytes each. Who sends it byte by byte would hold the
loop for 20 ms with each read."""
MAX_QUEUED_REQUESTS: Final = 8
"""Requests that a peer may send before the one before them is answered (RFC 9112, 9.3.2). Each costs a thousand times its bytes."""

CUT: Final = "wsx.cut"
"""The ASGI extension by which an application ends its connection at once."""
_SEPARATORS_BYTES = 4
"""Of each field: a colon, a space, and the end of the line."""
_HEAD_TOO_LARGE: Final = {
    "type": "urn:wsx:problem:head_too_large",
    "title": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.phrase,
    "status": int(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    "detail": f"the head of a request may have {MAX_HEAD_BYTES} bytes and {MAX_FIELDS} fields",
}


class Unwanted(Exception):
    """Ends the parsing."""


class HttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request is not whole in time, or too long.

    Between two requests uvicorn's own keep-alive timeout holds.
    """

    _awaiting: Patience | None = None
    """With whom it waits: for a head, or for a body. None: nothing is owed to us."""
    _wait: Wait | None = None
    _head_bytes = 0
    """Came since the parser last had the end of a head or a part of a body."""
    _is_in_body = False
    """The head is whole and the body is not."""
    _body_bytes = 0
    """Of the body, in this stretch."""
    _body_parts = 0
    """In this stretch, too."""
    _running: Any = None
    """The request that is being answered; `cycle` is the newest, which may wait behind it."""
    _is_refused = False
    """What still comes is thrown away: closing with unread input would lose our answer."""

    def data_received(self, data: bytes) -> None:
        """Bytes came. Whoever keeps us waiting has the time that began with the first of them, however many follow."""
        if self._is_refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self._is_refused:
            self._refuse_head()
        self._wait_with(self._owed())

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        super().on_header(name, value)
        if len(self.headers) > MAX_FIELDS:
            raise Unwanted

    def on_headers_complete(self) -> None:
        """A head is whole. One that names no host, or several, is 400 (RFC 9112, 3.2): a proxy before us may have read another."""
        self._measure_head()
        self._body_bytes = self._body_parts = 0
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise Unwanted
        self._is_in_body = True
        self.scope["extensions"] = {CUT: {"cut": self._cut}}
        self.scope["headers"] = list(
            self.headers
        )  # what comes behind the body is added to the other list, and is none (RFC 9110, 6.5.1)
        super().on_headers_complete()
        if len(self.pipeline) > MAX_QUEUED_REQUESTS:
            raise Unwanted

    def on_body(self, body: bytes) -> None:
        """A part of a body came; a stretch of it buys time."""
        self._head_bytes = 0
        self._body_bytes += len(body)
        self._body_parts += 1
        if self._body_parts > MAX_BODY_PARTS:
            raise Unwanted
        if self._body_bytes >= BODY_STRETCH_BYTES:
            self._body_bytes = self._body_parts = 0
            self._wait_with(None)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole; among its fields are now those behind the body."""
        self._measure_head()
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is written."""
        self._wait_with(None)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has given up: what came is no HTTP, or too much of it."""
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_FIELDS:
            self._refuse_head()
        elif self._has_its_answer:
            hang_up(self.transport)
        else:
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. uvicorn tells only the newest request, and the one that is being answered would write on."""
        self._wait_with(None)
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _has_its_answer(self) -> bool:
        """Words of ours would stand between those of an answer, or, where that came before the body, be taken for the next one."""
        return self._is_answering or self._is_in_body

    def _measure_head(self) -> None:
        fields = sum(len(name) + len(value) + _SEPARATORS_BYTES for name, value in self.headers)
        self._head_bytes = len(self.url) + fields
        if self._head_bytes > MAX_HEAD_BYTES:
            raise Unwanted
        self._head_bytes = 0

    def _refuse_head(self) -> None:
        self._is_refused = True
        if self._has_its_answer or not self.transport.can_write_eof():
            hang_up(self.transport)
        else:
            headers = [(b"content-type", b"application/problem+json")]
            self.transport.write(refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, headers, dumps(_HEAD_TOO_LARGE).encode()))
            self.transport.write_eof()

    def _give_up(self) -> None:
        hang_up(self.transport)

    def _cut(self) -> None:
        """The application waits no longer for who reads its answer: a stream has no end that it could wait for."""
        self._running.disconnected = True
        self.transport.abort()

    def _owed(self) -> Patience | None:
        if self.transport.get_protocol() is not self:  # it has become a WebSocket
            return None
        if not self._is_answering:
            return patience_for_heads(self.config)
        return patience_for_bodies(self.config) if self.cycle.more_body else None

    def _wait_with(self, patience: Patience | None) -> None:
        if patience is self._awaiting:
            return
        if self._wait is not None:
            self._wait.end()
        self._wait = None if patience is None else patience.wait(self._give_up)
        self._awaiting = patience


@one_per_server
def patience_for_heads(config: Any) -> Patience:
    """With all who have begun a request, or only connected."""
    return Patience(HEAD_TIMEOUT_S, stretches_of(config))


@one_per_server
def patience_for_bodies(config: Any) -> Patience:
    """With all whose body is not here as a whole."""
    return Patience(BODY_TIMEOUT_S, stretches_of(config))


check_names(HttpToolsProtocol)
