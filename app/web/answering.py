"""Operations answer by themselves: from the request's bytes to the function, and from what it returns to bytes.

Litestar finds the route, describes it and maps errors. What it does in between for each request (a copy of the handler for each
guard, a task group for what functions ask for by name, data transfer objects, response objects) took 160 of 305 µs; this takes 30.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Optional, Self

import msgspec
from litestar import Response

from app.auth.guards import admit
from app.web.body import JsonBody
from app.web.front import Asgi, Receive, Scope, Send
from app.web.parameters import Parameters

_JSON = b"content-type", b"application/json"
_NO_STORE = b"cache-control", b"no-store"
DRY_RUN: Final = "dry_run"
"""The parameter that asks what a call would do."""
_encode = msgspec.json.Encoder().encode


class Operation(NamedTuple):
    """What it takes to answer a request. `app.web.operation` makes one for each function."""

    function: Callable[..., Awaitable[Any]]
    scope: str
    status: int
    given: tuple[str, ...]
    """What the function asks for by name, beside body and parameters."""
    parameters: Parameters
    body: JsonBody | None
    dry_run: Optional["Operation"] = None
    """What answers when it is asked what this one would do."""

    def __deepcopy__(self, _memo: object) -> Self:
        """Itself: Litestar copies routes with all that they hold, and this is held by all copies."""
        return self

    async def answer(self, scope: Scope, receive: Receive, send: Send, given: Mapping[str, Any], max_body_bytes: int) -> None:
        """Answer one request. Raises AppError and RequestEntityTooLarge for what is refused; nothing is sent then."""
        caller = await admit(scope["headers"], given["key_ring"], self.scope)
        arguments = self.parameters.read(scope)
        asked = self.dry_run if self.dry_run is not None and arguments.pop(DRY_RUN, False) else self
        for name in asked.given:
            arguments[name] = caller if name == "caller" else given[name]
        if self.body is not None:
            arguments["data"] = await self.body.read(scope["headers"], receive, max_body_bytes)
        await _send(await asked.function(**arguments), asked.status, send)


def answering(given: Mapping[str, Any], max_body_bytes: int) -> Callable[[Asgi], Asgi]:
    """Middleware for routes of operations: it stands behind Litestar's router, and answers in place of its handlers.

    `given`: what functions may ask for by name, see `app.web.given`; `max_body_bytes`: longer bodies are refused with 413.
    """

    def in_place_of(app: Asgi) -> Asgi:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            operation: Operation | None = scope["route_handler"].opt.get("operation")
            if operation is None:  # OPTIONS, which Litestar adds to every path
                await app(scope, receive, send)
            else:
                await operation.answer(scope, receive, send, given, max_body_bytes)

        return answer

    return in_place_of


async def _send(answer: Any, status: int, send: Send) -> None:
    """What a function returns, as an answer; a `Response` says more than the body: headers, or another status."""
    headers = [_NO_STORE]
    if isinstance(answer, Response):
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        answer, status = answer.content, answer.status_code or status
    body = b""
    if answer is not None:
        body = _encode(answer)
        headers += [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
