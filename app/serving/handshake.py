"""The opening handshake (RFC 6455, 4.2): a request head in, an ASGI scope or a refusal out. Pure."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from hashlib import sha1
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

Headers = list[tuple[bytes, bytes]]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_MAX_NAMES: Final = 256

_names: dict[bytes, bytes] = {}
"""Header names that were seen, so that ten thousand scopes share them. Bounded: names come from strangers."""


class Refused(Exception):
    """The request is no valid handshake. `status` and `headers` are the answer."""

    def __init__(self, status: HTTPStatus, headers: Headers) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.headers = headers


class Opening(NamedTuple):
    """A valid request to open a WebSocket."""

    target: bytes
    headers: Headers
    subprotocols: list[str]
    accept: bytes
    """The value of `Sec-WebSocket-Accept`."""


def read_opening(head: bytes) -> Opening:
    """Read a request head that the HTTP layer has parsed and written out again (names lower case, one space after the colon).

    Raises Refused: 426 for another version of the protocol (4.4), 400 for a wrong method or key.
    """
    request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    headers = [(_shared(name), value) for name, _, value in (line.partition(b": ") for line in lines)]
    method, target, _ = request.split(b" ", 2)
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    versions = [value for name, value in headers if name == b"sec-websocket-version"]
    if versions != [b"13"]:
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket")])
    accept = accept_value(keys[0]) if len(keys) == 1 else None
    if method != b"GET" or accept is None:
        raise Refused(HTTPStatus.BAD_REQUEST, [])
    offered = b",".join(value for name, value in headers if name == b"sec-websocket-protocol").decode("latin-1")
    return Opening(target, headers, [word for piece in offered.split(",") if (word := piece.strip())], accept)


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
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if secure else "ws",
        "server": server,
        "client": client,
        "root_path": root_path,
        "path": root_path + unquote(raw_path.decode("latin-1")),
        "raw_path": root_path.encode() + raw_path,
        "query_string": query,
        "headers": opening.headers,
        "subprotocols": opening.subprotocols,
        "state": state,
    }


def accepted(accept: bytes, headers: Iterable[tuple[bytes, bytes]], subprotocol: str | None) -> bytes:
    """The answer that opens the WebSocket."""
    lines = [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept]
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


def _shared(name: bytes) -> bytes:
    known = _names.get(name)
    if known is None:
        known = name
        if len(_names) < _MAX_NAMES:
            _names[name] = name
    return known
