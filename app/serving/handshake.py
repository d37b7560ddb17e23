"""The opening handshake (RFC 6455, 4.2): a request head in, an ASGI scope or a refusal out. Pure."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from app.wire.deflate import negotiate

Headers = list[tuple[bytes, bytes]]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_ABSOLUTE: Final = re.compile(rb"(?:https?|wss?)://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)
"""A target that names the server too (RFC 9112, 3.2.2)."""


class Refused(Exception):
    """The request is no valid handshake. `status` and `headers` are the answer."""

    def __init__(self, status: HTTPStatus, headers: Headers) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.headers = headers


class Request(NamedTuple):
    """A parsed request that asks for a WebSocket; whether rightly is not said yet."""

    method: bytes
    target: bytes
    http_version: str
    headers: Headers
    """Names in lower case."""
    early: bytes = b""
    """What came behind the head already."""


class Opening(NamedTuple):
    """A valid request to open a WebSocket."""

    target: bytes
    headers: Headers
    subprotocols: list[str]
    accept: bytes
    """The value of `Sec-WebSocket-Accept`."""
    extensions: bytes | None
    """The value of `Sec-WebSocket-Extensions` in the answer; None: messages are not compressed."""


def parse_head(head: bytes) -> Request:
    """Read a head that another HTTP layer has parsed and written out again: names in lower case, one space after the colon."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, version = first.split(b" ", 2)
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return Request(method, target, version.removeprefix(b"HTTP/").decode("latin-1"), headers)


def read_opening(request: Request, *, may_compress: bool) -> Opening:
    """Check a request.

    Raises Refused: 426 for another version of the protocol (4.4), 400 for a wrong method, key or version of HTTP (4.2.1), for no
    host or several (RFC 9112, 3.2), for unreadable extensions (9.1), or for a body, which would be taken for frames.
    """
    said: dict[bytes, list[bytes]] = {}
    for name, value in request.headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            raise Refused(HTTPStatus.BAD_REQUEST, [])
        if name.startswith(b"sec-websocket-"):
            said.setdefault(name, []).append(value)
    if said.get(b"sec-websocket-version") != [b"13"]:
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket")])
    keys = said.get(b"sec-websocket-key", [])
    accept = accept_value(keys[0]) if len(keys) == 1 else None
    hosts = sum(name == b"host" for name, _ in request.headers)
    if request.method != b"GET" or request.http_version != "1.1" or accept is None or hosts != 1:
        raise Refused(HTTPStatus.BAD_REQUEST, [])
    target, headers = _origin_form(request.target, request.headers)
    subprotocols = [word for piece in _joined(said, b"sec-websocket-protocol").split(",") if (word := piece.strip())]
    return Opening(target, headers, subprotocols, accept, _extensions(said) if may_compress else None)


def _origin_form(target: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """Path and query, with the host that is meant: that of a target in absolute form counts in place of the header."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target, headers
    authority, path = absolute.groups()
    renamed = [(name, authority if name == b"host" else value) for name, value in headers]
    return (path if path.startswith(b"/") else b"/" + path), renamed


def _extensions(said: Mapping[bytes, Sequence[bytes]]) -> bytes | None:
    try:
        answer = negotiate(_joined(said, b"sec-websocket-extensions"))
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, []) from None
    return None if answer is None else answer.encode()


def _joined(said: Mapping[bytes, Sequence[bytes]], name: bytes) -> str:
    """A header that may come in several lines."""
    return b",".join(said.get(name, ())).decode("latin-1")


def accept_value(key: bytes) -> bytes | None:
    """The answer to a `Sec-WebSocket-Key` (4.2.2); None when the key is not 16 bytes in base64."""
    try:
        if len(b64decode(key, validate=True)) != _KEY_BYTES:
            return None
    except Base64Error:
        return None
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def scope_of(opening: Opening, *, root_path: str, secure: bool, server: Any, client: Any, state: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a handshake, without its extensions."""
    raw_path, _, query = opening.target.partition(b"?")
    path = raw_path.decode("latin-1")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if secure else "ws",
        "server": server,
        "client": client,
        "root_path": root_path,
        "path": root_path + (unquote(path) if "%" in path else path),
        "raw_path": root_path.encode() + raw_path,
        "query_string": query,
        "headers": opening.headers,
        "subprotocols": opening.subprotocols,
        "state": state,
    }


def accepted(opening: Opening, headers: Iterable[tuple[bytes, bytes]], subprotocol: str | None) -> bytes:
    """The answer that opens the WebSocket."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + opening.accept
    ]
    if opening.extensions is not None:
        lines.append(b"Sec-WebSocket-Extensions: " + opening.extensions)
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1"))
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def refused(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A plain HTTP answer in place of a WebSocket; the connection ends with it."""
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in headers if name.lower() not in {b"content-length", b"connection"}]
    lines += [b"content-length: %d" % len(body), b"connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
