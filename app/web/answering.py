"""Operations answer by themselves: from the request's bytes to the function, and from what it returns to bytes.

Litestar finds the route, describes it and maps errors. What it does in between for each request (a copy of the handler for each
guard, a task group for what functions ask for by name, data transfer objects, response objects) took 160 of 305 µs; this takes 30.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from inspect import signature
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Optional, Self, get_args, get_origin

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from app.auth.guards import Guard, check_scope
from app.auth.keys import Caller
from app.kernel.errors import AppError
from app.web import deeds, idempotency
from app.web.answer import Answer, rendered, send_answer
from app.web.body import JsonBody
from app.web.deeds import Deed, NoteDeed
from app.web.front import Asgi, Message, Receive, Scope, Send
from app.web.idempotency import Once
from app.web.parameters import Parameters

_log = structlog.get_logger()

DRY_RUN: Final = "dry_run"
"""The parameter that asks what a call would do."""
_REFUSED_READS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""Of calls that change nothing, what is noted: somebody asks who may not."""
_NO_TARGETS: Final[Mapping[str, Any]] = MappingProxyType({})


class Office(NamedTuple):
    """What all requests of the back office pass."""

    guard: Guard
    once: Once
    note: NoteDeed
    max_body_bytes: int
    """Longer bodies are refused with 413."""
    given: Mapping[str, Any]
    """What functions may ask for by name, see `app.web.given`."""


class Asked(NamedTuple):
    """What a page of ours asks of an operation."""

    caller: Caller
    scope: Scope
    """As the router would have it: `route_handler`, `method`, `path`, `path_params`, `query_string`, `headers`, `client`, and in
    `state` the request's id."""
    body: bytes
    is_counted: bool
    """Whether it counts among the requests of its key: not what we ask by our own clock."""


class _Call:
    """One request on its way through an operation: what is known of it so far."""

    __slots__ = ("address", "arguments", "caller", "operation", "returned", "scope")

    def __init__(self, operation: "Operation", scope: Scope) -> None:
        self.operation = operation
        self.scope = scope
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        self.caller: Caller | None = None
        self.arguments: dict[str, Any] = {}
        self.returned: Any = None


class Operation(NamedTuple):
    """What it takes to answer a request. `app.web.operation` makes one for each function."""

    function: Callable[..., Awaitable[Any]]
    scope: str
    status: int
    given: tuple[str, ...]
    """What the function asks for by name, beside body and parameters."""
    parameters: Parameters
    body: JsonBody | None
    is_post: bool
    changes: bool
    """Whether it may change something: then the audit log has each call, and each dry run, which pages do not show."""
    keeps_answer: bool
    """Whether its answer may be kept to be given again: not where it holds a secret."""
    dry_run: Optional["Operation"] = None
    """What answers when it is asked what this one would do."""

    def __deepcopy__(self, _memo: object) -> Self:
        """Itself: Litestar copies routes with all that they hold, and this is held by all copies."""
        return self

    async def answer(self, scope: Scope, receive: Receive, send: Send, office: Office) -> None:
        """Answer one request. Raises AppError and HTTPException for what is refused; nothing is sent then."""
        call = _Call(self, scope)
        try:
            answer = await self._carry_out(call, receive, office)
        except Exception as error:
            self._note_refusal(call, error, office)
            raise
        await send_answer(answer, send)

    async def perform(self, asked: "Asked", office: Office) -> Any:
        """What the function returns, for a page of ours that knows the caller; or has returned, under the same `Idempotency-Key`.

        Scope, limits and audit log are those of a request. Raises AppError for what is refused.
        """
        call = _Call(self, asked.scope)
        call.caller = asked.caller

        async def receive() -> Message:
            return {"type": "http.request", "body": asked.body}

        try:
            if asked.is_counted:
                office.guard.count(asked.caller).check()
            answer = await self._carry_out(call, receive, office)
        except Exception as error:
            self._note_refusal(call, error, office)
            raise
        return self._returned_before(answer) if idempotency.REPLAYED in answer.headers else call.returned

    def _returned_before(self, answer: Answer) -> Any:
        kind = signature(self.function).return_annotation
        return msgspec.json.decode(answer.body, type=get_args(kind)[0] if get_origin(kind) is Response else kind)

    async def _carry_out(self, call: _Call, receive: Receive, office: Office) -> Answer:
        headers, caller = call.scope["headers"], call.caller
        if caller is None:
            caller = call.caller = await office.guard.identify(headers, call.address, self.scope)
            standing = office.guard.count(caller)
            call.scope["state"]["headers"] = standing.headers
            standing.check()
        check_scope(caller, self.scope)
        call.arguments = self.parameters.read(call.scope)
        if self.dry_run is not None and call.arguments.pop(DRY_RUN, False):
            call.operation = self.dry_run
        for name in call.operation.given:
            call.arguments[name] = caller if name == "caller" else office.given[name]
        body = b""
        if self.body is not None:
            body = await self.body.receive(headers, receive, office.max_body_bytes)
            call.arguments["data"] = self.body.decode(body)
        key = idempotency.key_in(headers) if self.is_post else None
        if key is None or not self.changes or call.operation is not self:  # what changes nothing may be done again and again
            call.returned = await call.operation.function(**call.arguments)
            answer = rendered(call.returned, call.operation.status)
        else:
            asked = idempotency.asked(key, call.scope, caller, body)
            answer = await office.once.carry_out(asked, lambda: self._called(call), keeps_answer=self.keeps_answer)
        if call.operation.changes:
            done = "" if call.operation is self else DRY_RUN
            self._note(call, answer.status, deeds.REPLAYED if idempotency.REPLAYED in answer.headers else done, office)
        return answer

    async def _called(self, call: _Call) -> Answer:
        call.returned = await self.function(**call.arguments)
        return rendered(call.returned, self.status)

    def _note_refusal(self, call: _Call, error: Exception, office: Office) -> None:
        status, code = HTTPStatus.INTERNAL_SERVER_ERROR, AppError.code
        if isinstance(error, AppError):
            status, code = HTTPStatus(error.status), error.code
        elif isinstance(error, HTTPException):
            status, code = HTTPStatus(error.status_code), ""
        if call.operation.changes or status in _REFUSED_READS:
            self._note(call, status, code, office)

    def _note(self, call: _Call, status: int, code: str, office: Office) -> None:
        scope, data = call.scope, call.arguments.get("data")
        try:
            deed = Deed(
                actor=deeds.actor_of(call.caller),
                operation=self.function.__name__,
                targets=deeds.targets_of(scope.get("path_params", _NO_TARGETS), data, call.returned),
                audience=deeds.audience_of(data),
                counts=deeds.counts_of(call.returned),
                status=status,
                code=code,
                request_id=scope["state"]["request_id"],
                address=call.address,
            )
            office.note(deed)
        except Exception:  # it was done, and the answer is true
            _log.exception("a call is missing in the audit log", operation=self.function.__name__)


def answering(office: Office) -> Callable[[Asgi], Asgi]:
    """Middleware for routes of operations: it stands behind Litestar's router, and answers in place of its handlers."""

    def in_place_of(app: Asgi) -> Asgi:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            operation: Operation | None = scope["route_handler"].opt.get("operation")
            if operation is None:  # OPTIONS, which Litestar adds to every path
                await app(scope, receive, send)
            else:
                await operation.answer(scope, receive, send, office)

        return answer

    return in_place_of
