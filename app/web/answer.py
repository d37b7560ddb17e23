"""An answer of the REST interface as it leaves: status, headers, bytes."""

from typing import Any, NamedTuple

import msgspec
from litestar import Response

from app.web.front import Send

_JSON = b"content-type", b"application/json"
_NO_STORE = b"cache-control", b"no-store"
_encode = msgspec.json.Encoder().encode

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """What is sent, and can be kept to be sent again."""

    status: int
    headers: list[Header]
    body: bytes


def rendered(returned: Any, status: int) -> Answer:
    """What a function returns, as an answer; a `Response` says more than the body: headers, or another status."""
    headers = [_NO_STORE]
    if isinstance(returned, Response):
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in returned.headers.items()]
        returned, status = returned.content, returned.status_code or status
    if returned is None:
        return Answer(status, headers, b"")
    if isinstance(returned, bytes):  # of the type that its headers name
        body = returned
    else:
        body = _encode(returned)
        headers.append(_JSON)
    return Answer(status, [*headers, (b"content-length", b"%d" % len(body))], body)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send it."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
