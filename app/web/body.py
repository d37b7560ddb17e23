"""Bodies of requests: decoded once, from bytes into their type, and strictly: `"5"` is no number, an unknown field is refused."""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from app.kernel.errors import BadRequest
from app.web.errors import body_error
from app.web.front import Receive


class JsonBody:
    """Reads the bodies of one operation."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    async def receive(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes:
        """The bytes of a body. Raises BadRequest, and RequestEntityTooLarge before more than `max_bytes` are held."""
        body = await _whole(headers, receive, max_bytes)
        if not body:
            raise BadRequest("a JSON body is needed, and there is none")
        return body

    def decode(self, body: bytes) -> Any:
        """The body as its type. Raises BadRequest, InvalidFields."""
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise body_error(error, self._decoder.type) from None
        except UnicodeDecodeError as error:
            message = f"the body is not UTF-8: byte {error.start} of a text"
            raise BadRequest(message) from None
        except RecursionError:
            message = "the body is nested too deeply"
            raise BadRequest(message) from None


async def _whole(headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > max_bytes:
            raise RequestEntityTooLarge
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
