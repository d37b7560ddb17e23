"""Bodies of requests: decoded once, from bytes into their type, and strictly: `"5"` is no number, an unknown field is refused."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from app.kernel.errors import BadRequest, UnsupportedMediaType
from app.web.errors import body_error
from app.web.front import Receive

_IDENTITY: Final = re.compile(rb"[\s,]*(identity[\s,]*)*", re.IGNORECASE)
_TRUNCATED: Final = "Input data was truncated"
_HALF_AT_END: Final = re.compile(rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2}).{0,5}\Z", re.DOTALL)
"""Half of a surrogate pair, with too little behind it for the other half. msgspec says of it only that there is no more."""
_END_BYTES: Final = 64
"""In which it is looked for: through a whole body of a megabyte it would take 40 ms, in which nobody else has a turn."""


class JsonBody:
    """Reads the bodies of one operation."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    async def receive(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes:
        """The bytes of a body.

        Raises BadRequest, UnsupportedMediaType, and RequestEntityTooLarge before more than `max_bytes` are held.
        """
        body = await _whole(headers, receive, max_bytes)
        if not body:
            raise BadRequest("a JSON body is needed, and there is none")
        return body

    def decode(self, body: bytes) -> Any:
        """The body as its type. Raises BadRequest, InvalidFields."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise body_error(error, self._decoder.type) from None
        except UnicodeDecodeError:
            message = f"the body is not UTF-8: see its byte {_first_that_is_not_utf8(body)}, counted from 0"
            raise BadRequest(message) from None
        except msgspec.DecodeError as error:
            half = _HALF_AT_END.search(body, max(0, len(body) - _END_BYTES)) if str(error) == _TRUNCATED else None
            message = f"the body is not JSON: {f'half of a surrogate pair (byte {half.start(1)})' if half else error}"
            raise BadRequest(message) from None
        except RecursionError:
            message = "the body is nested too deeply"
            raise BadRequest(message) from None


def _first_that_is_not_utf8(body: bytes) -> int:
    """Where in the whole body: msgspec counts from the beginning of one of its texts."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


async def _whole(headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > max_bytes:
            raise RequestEntityTooLarge
        if name == b"content-encoding" and not _IDENTITY.fullmatch(value):
            raise UnsupportedMediaType("bodies are read as they are: send this one without a Content-Encoding")
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the connection ended before the body")
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise RequestEntityTooLarge
        more = message.get("more_body", False)
    return body
